"""The API: every answer is as its document says, and every action is guarded."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.web.console.cases import ByName, ConsoleCase
from txregistry.interfaces.access import IAccessController

IMAGE = "corp/org/app:v1"


class ApiCase(ConsoleCase):
    """Checks each answer against the document."""

    def setUp(self) -> None:
        super().setUp()
        self.document = json.loads(self.visit("/api/v1/openapi.json").body)

    def check(self, values: Any, schema: str) -> None:
        """Compare an answer with its schema."""
        reference = {"$ref": f"#/components/schemas/{schema}"}
        whole = {**reference, "components": self.document["components"]}
        errors = [
            f"{list(error.absolute_path)}: {error.message[:300]}"
            for error in Draft202012Validator(whole).iter_errors(values)
        ]
        self.assertEqual(errors, [])

    def looked(self, path: str) -> Any:
        """Ask a path of the document, and check the answer."""
        found = self.api(path)
        responses = self.document["paths"][f"/api/v1/{path.partition('?')[0]}"]["get"]
        (content,) = responses["responses"]["200"]["content"].values()
        self.check(found, content["schema"]["$ref"].rpartition("/")[2])
        return found


class DocumentTests(ApiCase):
    """What the API gives."""

    def test_looking(self) -> None:
        """Each path gives what the document says, before and after something came."""
        for _ in range(2):
            self.assertEqual(self.looked("session")["user"], "anybody")
            self.looked("overview")
            self.looked("pins")
            self.looked("jobs")
            self.looked("activity?kind=came&kind=failed&text=x")
            self.looked("repositories?text=app")
            for span in ("day", "month", "years"):
                self.looked(f"history?span={span}")
            self.warm(IMAGE)
            self.house.settle(self.history.sample())
            self.log("txregistry.proxy").info("x came")
            self.house.settle(self.house.pin_list.pin(pattern="corp/**"))
            self.house.clock.advance(100)
        self.assertEqual(self.looked("activity?text=came")["events"][0]["kind"], "came")
        self.assertEqual(self.looked("repositories")["repositories"], ["corp/org/app"])
        tags = self.looked("tags?repository=corp/org/app")["tags"]
        self.assertEqual([each["tag"] for each in tags], ["v1"])
        found = self.looked(f"image?name={IMAGE}")
        self.assertEqual(len(found["anatomy"]["variants"]), 3)
        self.looked(f"comparison?from={IMAGE}&to={IMAGE}")
        self.assertEqual(self.looked("pins")["patterns"], ["corp/**"])

    def test_errors(self) -> None:
        """They have the form of the registry's own."""
        for path, status in (
            ("nowhere", 404),
            ("history?span=week", 400),
            ("activity?kind=odd", 400),
            ("image?name=corp/none:v1", 404),
            ("image?name=%20!", 400),
            ("tags?repository=none", 404),
            ("tags?repository=A!", 400),
            ("jobs/7", 404),
            ("repositories?text=" + "x" * 2000, 400),
            ("activity?before=x", 400),
            ("activity?before=" + "1" * 20, 400),
            ("activity?before=-1", 400),
        ):
            got = self.visit(f"/api/v1/{path}")
            self.assertEqual(got.status, status, path)
            self.check(json.loads(got.body), "Errors")

    def log(self, namespace: str) -> Any:
        from twisted.logger import Logger

        return Logger(namespace=namespace, observer=self.publisher)


class ActionTests(ApiCase):
    """What can be done."""

    def test_warm(self) -> None:
        """First it is said, then it is done."""
        question = {"action": "warm", "options": {"images": [IMAGE]}, "dry_run": True}
        self.check(question, "Question")
        status, says = self.post("/api/v1/jobs", question)
        self.check(says, "Says")
        self.assertEqual(status, 200)
        self.assertIn("fetches all of it", says["says"][0])
        self.assertEqual(self.explain(IMAGE).digest, "")
        del question["dry_run"]
        status, job = self.post("/api/v1/jobs", question)
        self.check(job, "Job")
        self.assertEqual((status, job["action"]), (202, "warm"))
        for _ in range(100):
            self.house.clock.advance(0.1)
            self.house.pump()
        job = self.api(f"jobs/{job['number']}")
        self.check(job, "Job")
        self.assertEqual((job["state"], job["error"]), ("done", ""))
        self.assertTrue(job["progress"])
        self.assertNotEqual(self.explain(IMAGE).digest, "")
        (listed,) = self.looked("jobs")["jobs"]
        self.assertEqual((listed["number"], listed["state"]), (job["number"], "done"))

    def test_a_long_dry_run(self) -> None:
        """One that looks at everything is an action of its own."""
        question = {"action": "collect", "options": {}, "dry_run": True}
        status, job = self.post("/api/v1/jobs", question)
        self.check(job, "Job")
        self.assertEqual((status, job["state"]), (202, "running"))
        collecting = self.sources.commands["collect"]
        self.assertEqual(collecting.asked, [{"dry_run": True}])
        collecting.end(blobs_deleted=2)
        job = self.api(f"jobs/{job['number']}")
        self.check(job, "Job")
        self.assertEqual(job["report"]["blobs_deleted"], 2)
        (listed,) = self.looked("jobs")["jobs"]
        self.assertEqual(listed["title"], "collect 1 (dry run)")

    def test_reports(self) -> None:
        """Commands that only look, as the command line has them; none that act."""
        question = {"action": "explain", "options": {"images": [IMAGE]}}
        self.check(question, "Question")
        status, found = self.post("/api/v1/reports", question, X_CSRF_Token="")
        self.check(found, "Report")
        self.assertEqual(status, 200)
        self.assertEqual(found["report"]["images"][0]["image"], IMAGE)
        for question, status in (
            ({"action": "offline", "options": {"on": True}}, 404),
            ({"action": "explain", "options": {"images": ["!"]}}, 400),
            ({"action": 1}, 400),
        ):
            found, body = self.post("/api/v1/reports", question)
            self.assertEqual(found, status)
            self.check(body, "Errors")
        self.assertFalse(self.house.offline.is_on)

    def test_stop(self) -> None:
        """An action under way can be ended."""
        self.several.upstream("corp").rate = 100
        question = {"action": "warm", "options": {"images": [IMAGE]}}
        _, job = self.post("/api/v1/jobs", question)
        self.assertEqual(job["state"], "running")
        status, job = self.post(f"/api/v1/jobs/{job['number']}/stop", {})
        self.check(job, "Job")
        self.assertEqual((status, job["state"]), (200, "stopped"))
        token = self.api("session")["token"]
        path = f"/api/v1/jobs/{job['number']}/stop"
        self.assertEqual(self.visit(path, "POST", X_CSRF_Token=token).status, 200)

    def test_malformed(self) -> None:
        """It is said what is wrong."""
        for question, status in (
            ({"action": "odd"}, 404),
            ({"action": "warm", "options": []}, 400),
            ({"action": "warm", "options": [1]}, 400),
            ({"action": "purge", "options": {"dry_run": True}}, 400),
            ({"options": {}}, 400),
            ([], 400),
            ({"action": "warm", "options": {"images": []}, "dry_run": True}, 400),
            ({"action": "x" * 70_000}, 400),
        ):
            found, body = self.post("/api/v1/jobs", question)
            self.assertEqual(found, status, body)
            if status >= 400:
                self.check(body, "Errors")

    def test_no_other_site_can_act(self) -> None:
        """Without the token, or where a browser says that another site asks."""
        question = {"action": "offline", "options": {"on": True}}
        for headers in (
            {"X_CSRF_Token": ""},
            {"X_CSRF_Token": "0" * 64},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
        ):
            status, body = self.post("/api/v1/jobs", question, **headers)
            self.assertEqual(status, 403, headers)
            self.check(body, "Errors")
        self.assertFalse(self.house.offline.is_on)
        headers = {"Origin": "http://admin.example", "Sec_Fetch_Site": "same-origin"}
        status, _ = self.post("/api/v1/jobs", question, **headers)
        self.assertEqual((status, self.house.offline.is_on), (202, True))

    def test_a_form_of_another_site(self) -> None:
        """What a browser may send without asking is no JSON."""
        question = {"action": "offline", "options": {"on": True}}
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            status, _ = self.post("/api/v1/jobs", question, Content_Type=kind)
            self.assertEqual(status, 400)
        self.assertFalse(self.house.offline.is_on)


class RightsTests(ApiCase):
    """Who may look, and who may act."""

    roles = {"ann": "operate", "bob": "read"}

    def controller(self) -> IAccessController:
        return ByName()

    def setUp(self) -> None:
        ConsoleCase.setUp(self)
        got = self.visit("/api/v1/openapi.json", Authorization="ann")
        self.document = json.loads(got.body)

    def test_everything_is_guarded(self) -> None:
        """Nothing is told to those who are not let in, and nothing done."""
        routes = self.site.resource._app.url_map.iter_rules()
        paths = {str(rule).replace("<int:number>", "1") for rule in routes}
        for path in paths - {"/static/<name>"}:
            for method in ("GET", "POST"):
                got = self.visit(path, method)
                self.assertIn(got.status, (401, 405), path)
                got = self.visit(path, method, Authorization="eve")
                self.assertIn(got.status, (403, 405), path)

    def test_who_may_read(self) -> None:
        """They get no token, and cannot act with that of another."""
        session = self.api("session", Authorization="bob")
        self.assertEqual((session["may_act"], session["token"]), (False, ""))
        ann = self.api("session", Authorization="ann")
        self.assertTrue(ann["may_act"])
        for user, token, status in (
            ("bob", "", 403),
            ("bob", ann["token"], 403),
            ("ann", ann["token"], 202),
        ):
            found, _ = self.post(
                "/api/v1/jobs",
                {"action": "offline", "options": {"on": False}},
                Authorization=user,
                X_CSRF_Token=token,
            )
            self.assertEqual(found, status)
        for action in ann["actions"]:
            for user, token, more in (
                ("bob", ann["token"], {}),
                ("ann", "", {}),
                ("ann", ann["token"], {"Origin": "http://evil.example"}),
                ("ann", ann["token"], {"Host": "evil.example"}),
            ):
                found, _ = self.post(
                    "/api/v1/jobs",
                    {"action": action, "options": {}},
                    Authorization=user,
                    X_CSRF_Token=token,
                    **more,
                )
                self.assertEqual(found, 403, (action, user, more))
        self.assertEqual(len(self.api("jobs", Authorization="bob")["jobs"]), 1)
        job = self.api("jobs", Authorization="bob")["jobs"][0]
        self.assertIn("ann", job["who"])


class RegistryTests(ApiCase):
    """A registry without an upstream."""

    is_cache = False

    def commands(self) -> dict[str, Any]:
        return {}

    def test_looking(self) -> None:
        """It shows what is stored."""
        self.push_local("team/app", "v1")
        self.assertIsNone(self.looked("overview")["cache"])
        self.assertEqual(self.looked("pins")["patterns"], [])
        (tag,) = self.looked("tags?repository=team/app")["tags"]
        self.assertEqual(tag["tag"], "v1")
        found = self.looked("image?name=team/app:v1")
        self.assertEqual(found["anatomy"]["variants"][0]["layers"][0]["size"], 5)
        self.assertEqual(self.visit("/api/v1/image?name=team/app:v2").status, 404)
