//! A sweep as an Indexed Job of Kubernetes: each pod runs one shard into a shared volume. A pod that is killed is run
//! again and does only what is not there yet.

use super::{job_name, shell_word, sweep_arguments};
use crate::cli::ExportSweep;

/// The manifest: the topology, a volume for the results, and the job.
pub(crate) fn render(typed: &ExportSweep, scenario: &str, topology: &str) -> String {
    let name = job_name(scenario);
    let shards = typed.shards;
    let words: Vec<String> = sweep_arguments(typed).iter().map(|word| shell_word(word)).collect();
    let command = format!(
        "exec squall sweep /topology/topology.yaml {} --threads {} --shard \"$((JOB_COMPLETION_INDEX + 1))/{shards}\" --store /results",
        words.join(" "),
        typed.cpus
    );
    // A string in JSON is one in YAML.
    let command = serde_json::Value::from(command);
    let image = serde_json::Value::from(typed.image.as_str());
    let text: String = topology.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect();
    format!(
        "# squall sweep of {scenario} in {shards} shards. When the job is complete, with the volume at hand:
#   squall sweep merge /results --jsonl sweep.jsonl --html sweep.html
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  topology.yaml: |
{text}---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {name}
spec:
  accessModes: [ReadWriteMany]
  resources:
    requests:
      storage: 1Gi
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
spec:
  completionMode: Indexed
  completions: {shards}
  parallelism: {shards}
  backoffLimit: {}
  template:
    spec:
      restartPolicy: OnFailure
      containers:
        - name: squall
          image: {image}
          command: [\"/bin/sh\", \"-c\", {command}]
          resources:
            requests: {{cpu: \"{cpus}\", memory: 512Mi}}
            limits: {{cpu: \"{cpus}\", memory: 2Gi}}
          volumeMounts:
            - {{name: topology, mountPath: /topology, readOnly: true}}
            - {{name: results, mountPath: /results}}
      volumes:
        - name: topology
          configMap: {{name: {name}}}
        - name: results
          persistentVolumeClaim: {{claimName: {name}}}
",
        shards * 3,
        cpus = typed.cpus,
    )
}
