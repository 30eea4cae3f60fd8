"""Policies from the command line: checked and tested without a mesh; put, shown, compared and
reverted on a real one, and refused where they would do harm."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh, run_cli
from runner import equal, eventually, main, test

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "policy/examples/video-analytics.yaml"


def policy(name, spec, tests="", kind="RoutePolicy"):
    return (f"apiVersion: grapevine/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"
            f"spec: {{{spec}}}\n{tests}")


class World(Mesh):
    def __init__(self):
        super().__init__()
        engine = self.engine("llama", name="one")
        self.edge = self.node("edge-1", tier="edge", region="eu-west")
        self.cloud = self.node("cloud-1", tier="cloud", region="eu-west", backends=[engine.url])
        self.start()
        eventually(lambda: "llama" in self.edge.model_nodes(), "the model")

    def file(self, text):
        path = self.folder / "policy.yaml"
        path.write_text(text)
        return path

    def apply(self, text, *options, code=0):
        return self.edge.cli("policy", "apply", "-f", "-", *options, stdin=text, code=code)

    def refused(self, text, code, said, *options, command=("policy", "apply")):
        before = self.edge.json("policy", "ls", "--consistent")["items"]
        got, _, err = self.edge.cli(*command, "-f", "-", *options, stdin=text, code=None)
        equal(got, code, err)
        assert said in err, err
        equal(self.edge.json("policy", "ls", "--consistent")["items"], before, "what is in force")


# --- without a mesh

@test
def the_example_checks_and_its_tests_pass(world):
    equal(run_cli("policy", "check", EXAMPLE), "1 policy, 4 tests: all right\n", "check")
    lines = run_cli("policy", "test", EXAMPLE).splitlines()
    equal([line[:6] for line in lines[:-1]], ["ok    "] * 4, "tests")
    answer = json.loads(run_cli("policy", "test", EXAMPLE, "-o", "json"))
    assert all(t["passed"] and t["policy"] == "video-analytics" for t in answer["tests"]), answer
    equal(answer["mistakes"], [], "mistakes")


@test
def mistakes_are_shown_where_they_are(world):
    path = world.file(policy("a", "match: request.tsk == 'x', steps: []") + "---\n" +
                      policy("b", "strategy: nix"))
    code, out, _ = run_cli("policy", "check", path, code=None)
    equal(code, 1, out)
    equal(out.splitlines(),
          [f"{path}:4:15: match: unknown name 'request.tsk'; did you mean 'request.task'?",
           f"{path}:4:42: steps: expected a list, found an empty one",
           f"{path}:9:18: strategy: no strategy nix"], "the mistakes")
    code, out, _ = run_cli("policy", "check", path, "-o", "json", code=None)
    equal([(m["line"], m["column"]) for m in json.loads(out)["mistakes"]],
          [(4, 15), (4, 42), (9, 18)], "their places")
    code, _, err = run_cli("policy", "check", "/nowhere", code=None)
    equal(code, 1, err)
    assert "/nowhere" in err, err


@test
def a_test_that_fails_says_what_came_out(world):
    tests = ("tests:\n- name: t\n  given: {candidates: [{node.name: n, node.tier: edge}]}\n"
             "  expect: {refused: true}\n")
    path = world.file(policy("a", "require: [node.tier == 'edge']", tests))
    for command in ("check", "test"):
        code, out, _ = run_cli("policy", command, path, code=None)
        equal(code, 1, out)
        assert f'{path}:6:3: a: test "t" fails: n is chosen in step last_resort' in out, out


@test
def files_are_one_set(world):
    strategy = world.folder / "strategy.yaml"
    strategy.write_text(policy("mine", "weights: {latency: 1}", kind="Strategy"))
    path = world.file(policy("a", "strategy: mine"))
    equal(run_cli("policy", "check", path, code=None)[0], 1, "alone")
    equal(run_cli("policy", "check", path, strategy), "1 policy, 0 tests: all right\n", "together")


@test
def facts_are_listed(world):
    facts = {f["name"]: f for f in json.loads(run_cli("policy", "facts", "-o", "json"))["facts"]}
    equal((facts["link.rtt"]["type"], facts["link.rtt"]["group"]), ("duration", "live"), "a fact")
    table = run_cli("policy", "facts")
    assert all(name in table for name in facts), table


# --- on the mesh

@test
def a_policy_has_versions_and_a_way_back(world):
    first = policy("p", "match: request.task == 'x'")
    second = policy("p", "match: request.task == 'y'")
    assert "1 document applied" in world.apply(first)
    world.apply(second)
    edge = world.edge
    equal(edge.cli("policy", "get", "p", "--consistent"), second, "get")
    equal(edge.cli("policy", "get", "p", "--version", "1"), first, "get --version")
    equal(edge.json("policy", "get", "p")["version"], 2, "the version in force")
    equal([v["version"] for v in edge.json("policy", "history", "p")["items"]], [1, 2], "history")
    assert "p " in edge.cli("policy", "ls"), "ls"
    equal(edge.cli("policy", "diff", "p", "1", "2"),
          "--- p version 1\n+++ p version 2\n@@ -1,4 +1,4 @@\n apiVersion: grapevine/v1\n"
          " kind: RoutePolicy\n metadata: {name: p}\n-spec: {match: request.task == 'x'}\n"
          "+spec: {match: request.task == 'y'}\n", "diff")
    path = world.file("---\n" + policy("q", "") + "---\n" + second)
    answer = edge.json("policy", "diff", "p", path)
    equal((answer["from"], answer["differs"]), ("p version 2", True), "diff with a file")
    assert "is as in version 1 again" in edge.cli("policy", "revert", "p")
    equal(edge.cli("policy", "get", "p", "--consistent"), first, "what is in force")
    edge.cli("policy", "revert", "p", "--to", "2")
    equal(edge.json("policy", "get", "p", "--consistent")["version"], 4, "the version")
    for words, said in ((["revert", "p", "--to", "4"], "in force already"),
                        (["revert", "p", "--to", "9"], "no such policy_version"),
                        (["get", "nobody"], "no such policy"),
                        (["diff", "p", "1", path.parent / "none.yaml"], "none.yaml")):
        code, _, err = edge.cli("policy", *words, code=None)
        equal(code, 1, err)
        assert said in err, err


@test
def what_does_not_check_is_not_put(world):
    wrong = policy("w", "match: request.tsk == 'x'")
    said = "not applied: -:4:15: match: unknown name 'request.tsk'"
    world.refused(wrong, 2, said)
    world.refused(wrong, 2, said, command=("apply",))
    setting = "apiVersion: grapevine/v1\nkind: Setting\nmetadata: {key: x.p}\nspec: {value: '1'}\n"
    world.refused(setting + "---\n" + wrong, 2, "not applied: -:9:15:", command=("apply",))
    equal(world.edge.cli("setting", "get", "x.p", code=None)[0], 1, "the setting")
    world.refused(setting, 2, "not a policy")


@test
def what_fails_its_tests_is_not_put(world):
    tests = "tests:\n- {name: t, given: {request: {task: x}}, expect: {match: false}}\n"
    world.refused(policy("t", "", tests), 3, "the policy matches this request")


@test
def strategies_of_the_mesh_are_known_and_kept(world):
    world.apply(policy("fast", "weights: {latency: 1}", kind="Strategy"))
    world.apply(policy("uses", "match: request.task == 'z', strategy: fast"))
    world.refused(policy("fast", "match: request.task == 'z'"), 2,
                  "policy uses, in force:4:")


@test
def what_cuts_a_model_off_is_put_only_by_force(world):
    nobody = policy("mars", "require: [node.region == 'mars']")
    world.refused(nobody, 3, "mars would leave llama without any candidate")
    world.refused(nobody, 3, "--force mars", "--force", "other")
    elsewhere = policy("mars", "match: request.model == 'other', require: [node.region == 'mars']")
    world.apply(elsewhere)
    world.apply(nobody, "--force", "mars")
    equal(world.edge.json("policy", "get", "mars", "--consistent")["version"], 2, "the version")
    world.edge.cli("policy", "revert", "mars")
    code, _, err = world.edge.cli("policy", "revert", "mars", "--to", "2", code=None)
    equal(code, 3, err)
    assert "version 2" in err and "--force mars" in err, err


@test
def a_policy_may_be_signed_far_from_the_mesh(world):
    path = world.folder / "signed.cmd"
    world.apply(policy("far", "match: request.task == 'f'"), "--out", path)
    equal(world.edge.cli("policy", "get", "far", code=None)[0], 1, "not sent yet")
    world.edge.cli("command", "send", path)
    equal(world.edge.json("policy", "get", "far", "--consistent")["version"], 1, "the version")


main(World)
