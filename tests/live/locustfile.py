"""The four user journeys of `topologies/social.yaml`, as somebody who uses Locust would write them."""

from locust import HttpUser, between, task


class Visitor(HttpUser):
    wait_time = between(1, 2)

    @task(5)
    def feed(self):
        self.client.get("/api/feed")

    @task(3)
    def create_post(self):
        self.client.post("/api/posts", json={"text": "hello"})

    @task(2)
    def search(self):
        self.client.get("/api/search?q=squall", name="/api/search")

    @task(1)
    def profile(self):
        self.client.get("/api/users/42/profile", name="/api/users/{id}/profile")
