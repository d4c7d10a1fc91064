from locust import HttpUser, between, task


class Visitor(HttpUser):
    wait_time = between(1, 2)

    @task(5)
    def feed(self):
        self.client.get("/api/feed")

    @task(3)
    def create(self):
        self.client.post("/api/posts", json={"text": "hi"})

    @task
    def profile(self):
        self.client.get(f"/api/users/{self.id}/profile")

    @task
    def odd(self):
        self.something()
