import http from 'k6/http';
import { sleep } from 'k6';

export const options = {
  scenarios: {
    browse: { executor: 'constant-vus', vus: 20, duration: '1m' }, // people
    api: { executor: 'ramping-arrival-rate', startRate: 10, timeUnit: '1s', preAllocatedVUs: 5, stages: [{ duration: '30s', target: 100 }] },
  },
};

export default function () {
  http.get('http://localhost:8080/api/feed');
  http.post(`${__ENV.BASE}/api/posts`, '{}');
  sleep(1.5);
}
