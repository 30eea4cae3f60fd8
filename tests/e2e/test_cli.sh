#!/usr/bin/env bash
# The command line from outside: init, invite, join, config check, run, status and their errors,
# with exit statuses (contract.md sections 1 and 2). Uses $GRAPEVINE; everything happens below one
# temporary directory and on loopback.
set -euo pipefail

GRAPEVINE=${GRAPEVINE:?path of the grapevine binary}
PYTHON=${PYTHON:-python3}
work=$(mktemp -d)
export HOME=$work/home TMPDIR=$work/tmp
unset GRAPEVINE_DIR GRAPEVINE_KEY NOTIFY_SOCKET
mkdir "$HOME" "$TMPDIR"
started=()
cleanup() {
    for pid in "${started[@]}"; do { kill -9 "$pid" && wait "$pid"; } 2>/dev/null || true; done
    umount "$work/full" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "FAILED: $*" >&2
    [ -f "$work/out" ] && sed 's/^/  stdout: /' "$work/out" | tail -n 20 >&2
    [ -f "$work/err" ] && sed 's/^/  stderr: /' "$work/err" | tail -n 20 >&2
    exit 1
}

# expect STATUS COMMAND...: runs grapevine, keeps its output in $work/out and $work/err
expect() {
    local wanted=$1 got=0
    shift
    timeout 60 "$GRAPEVINE" "$@" >"$work/out" 2>"$work/err" || got=$?
    [ "$got" = "$wanted" ] || fail "grapevine $*: exit status $got, expected $wanted"
}
out() { grep -qF -- "$1" "$work/out" || fail "stdout lacks: $1"; }
err() { grep -qF -- "$1" "$work/err" || fail "stderr lacks: $1"; }
# one error: a single line that begins with the program's name
one_error() {
    [ "$(wc -l <"$work/err")" = 1 ] || fail "not one line on stderr"
    grep -q '^grapevine: ' "$work/err" || fail "the error does not begin with grapevine:"
}
refuses() { # refuses STATUS TEXT COMMAND...
    local status=$1 text=$2
    shift 2
    expect "$status" "$@"
    one_error
    err "$text"
}
json() { # json EXPRESSION: of d, the JSON on stdout
    "$PYTHON" -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
        "$work/out" "$1"
}
mode() { stat -c %a "$1"; }
gone() { [ ! -e "$1" ] || fail "$1 was left behind: $(ls -A "$1" 2>/dev/null | tr '\n' ' ')"; }
wait_for_line() { # wait_for_line FILE TEXT
    for _ in $(seq 300); do
        grep -qF -- "$2" "$1" 2>/dev/null && return 0
        sleep 0.1
    done
    fail "$1 never said: $2"
}

start() { # start NAME FLAGS...: leaves the process id in $pid and the ready line in $ready
    local name=$1
    shift
    : >"$work/$name.out"
    "$GRAPEVINE" run "$@" >"$work/$name.out" 2>"$work/$name.err" &
    pid=$!
    started+=("$pid")
    wait_for_line "$work/$name.out" "ready "
    ready=$(cat "$work/$name.out")
}
ends_with() { # ends_with STATUS PID
    local status=0
    wait "$2" || status=$?
    [ "$status" = "$1" ] || fail "process ended with $status, expected $1"
}

echo "-- help and usage"
expect 0 help && out "config check" && out "receipt verify" && out "explain"
expect 0 --help && out "usage: grapevine COMMAND"
for command in init invite join run "config check" status "ls nodes" "ls models" "receipt get" \
    "receipt verify" events leave "gossip key rotate" "gossip key status" version help; do
    # shellcheck disable=SC2086
    expect 0 $command --help && out "usage: grapevine $command"
    # shellcheck disable=SC2086
    expect 0 help $command && out "usage: grapevine $command"
done
refuses 2 "no command"
refuses 2 "did you mean grapevine init?" initt
for group in "ls --help" "ls -h" "help ls"; do
    # shellcheck disable=SC2086
    expect 0 $group && out "usage: grapevine ls COMMAND" && out "ls nodes" && out "ls models"
    ! grep -q "receipt get" "$work/out" || fail "$group lists others"
done
for group in "gossip --help" "gossip key --help" "help gossip" "help gossip key"; do
    # shellcheck disable=SC2086
    expect 0 $group && out "gossip key rotate" && out "gossip key status"
done
refuses 2 "incomplete command: gossip key: try grapevine gossip key rotate or" gossip key
refuses 2 "unknown command: gossip key turn: try grapevine gossip key rotate or" gossip key turn
refuses 2 "not a number from 0 to 256" events --last all
refuses 2 "ls nodes or ls models" ls
refuses 2 "ls nodes or ls models" ls nods
refuses 2 "see grapevine help" frobnicate
refuses 2 "did you mean --name?" init --nmae x
refuses 2 "value missing: --name" init --name
refuses 2 "given twice: --name" init --name a --name b
refuses 2 "too many arguments: surplus" init surplus
refuses 2 "argument missing" join
refuses 2 "only json is known" version -o yaml
refuses 2 "takes no value" run --dev=1
refuses 2 "exclude each other" run --dev --dir "$work/x"
refuses 2 "only with --dev" run --backend http://127.0.0.1:1

echo "-- version"
expect 0 version && out grapevine && out libsodium
expect 0 version -o json
[ -n "$(json 'd["version"]')" ] && [ -n "$(json 'd["commit"]')" ] &&
    [ -n "$(json 'd["compiler"]')" ]
[ "$(json '"libuv" in d["libraries"]')" = True ] || fail "no library versions"

echo "-- init"
a=$work/a
expect 0 init --dir "$a" --name edge-1 --tier edge --region eu --zone shop-14 --http 127.0.0.1:0 \
    --mesh 127.0.0.1:7300 --backend http://127.0.0.1:9
out "mesh   " && out "grapevine run --dir $a" && out root.key
[ "$(mode "$a")" = 700 ] || fail "mode of the directory"
for key in node.key admin.key root.key; do
    [ "$(mode "$a/$key")" = 600 ] || fail "mode of $key"
done
for file in node.cert grapevine.yaml data; do [ -e "$a/$file" ] || fail "no $file"; done
ls -A "$a" | grep -q tmp && fail "a temporary file was left"
expect 0 config check --dir "$a" && out "valid"
expect 0 config check "$a/grapevine.yaml" -o json
[ "$(json 'd["node"]')" = edge-1 ] || fail "config check -o json"
before=$(cd "$a" && sha256sum ./*.key ./node.cert ./grapevine.yaml)
refuses 3 "already a node's directory" init --dir "$a"
[ "$before" = "$(cd "$a" && sha256sum ./*.key ./node.cert ./grapevine.yaml)" ] ||
    fail "init changed a node"
expect 0 init --dir "$work/deep/er/b/" --name b -o json
[ "$(json 'd["node"]')" = b ] && [ "$(json 'd["tier"]')" = edge ] &&
    [ "$(json 'd["region"]')" = default ]
[ "$(json 'len(d["mesh"])')" = 32 ] && [ "$(json 'len(d["made"])')" = 5 ]
if [ "$(id -u)" != 0 ]; then # root's default is a place of the whole system
    expect 0 init && [ -e "$HOME/.local/share/grapevine/grapevine.yaml" ] ||
        fail "the default directory"
fi
GRAPEVINE_DIR=$work/by-env expect 0 init && [ -e "$work/by-env/grapevine.yaml" ] ||
    fail "GRAPEVINE_DIR"

echo "-- what to do next can be pasted into a shell"
odd="$work/with space/it's"
expect 0 init --dir "$odd" --name odd
command=$(sed -n 's/^  grapevine run --dir //p' "$work/out")
[ "$(eval "printf %s $command")" = "$odd" ] || fail "not one word, or another: $command"
command=$(sed -n 's/^  move \(.*\) to a safe place:.*/\1/p' "$work/out")
[ "$(eval "printf %s $command")" = "$odd/root.key" ] || fail "not one word, or another: $command"
expect 4 status --dir "$odd"
command=$(sed -n 's/.*grapevine run --dir //p' "$work/err")
[ "$(eval "printf %s $command")" = "$odd" ] || fail "not one word, or another: $command"

echo "-- init refuses and leaves nothing"
refuses 2 'expected edge, regional or cloud, found "moon"' init --dir "$work/no" --tier moon
refuses 2 "--name: node.name: expected a name" init --dir "$work/no" --name Edge_1
refuses 2 "--http: listen.http: expected IP:PORT" init --dir "$work/no" --http localhost
refuses 2 "https: is not supported yet" init --dir "$work/no" --backend https://h
gone "$work/no"
touch "$work/file"
refuses 1 "it exists already" init --dir "$work/file/"
refuses 1 "" init --dir "$work/file/sub"
mkdir -m 777 "$work/open"
refuses 3 "everybody can write there" init --dir "$work/open"
mkdir "$work/taken" && touch "$work/taken/node.key"
refuses 3 "already a node's directory" init --dir "$work/taken"
[ "$(ls -A "$work/taken")" = node.key ] || fail "init left something in a taken directory"
mkdir "$work/full"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=8k tmpfs "$work/full" 2>/dev/null; then
    head -c 4096 /dev/zero >"$work/full/ballast"
    refuses 1 "no space left on the device" init --dir "$work/full/n"
    [ "$(ls -A "$work/full")" = ballast ] || fail "a full disk: something was left"
    umount "$work/full"
fi
# A node's directory on a disk that became full, or read-only: told, nothing left running or lying.
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64m tmpfs "$work/full" 2>/dev/null; then
    expect 0 init --dir "$work/full/n" --name full --http 127.0.0.1:0 --mesh 127.0.0.1:0
    head -c 64M /dev/zero >"$work/full/ballast" 2>/dev/null || true
    rm -r "$work/full/n/data" && mkdir "$work/full/n/data"
    head -c 64M /dev/zero >"$work/full/ballast2" 2>/dev/null || true
    refuses 1 "no space left on the device" run --dir "$work/full/n"
    [ ! -e "$work/full/n/control.sock" ] || fail "a full disk: a socket was left"
    rm "$work/full/ballast" "$work/full/ballast2"
    mount -o remount,ro "$work/full"
    refuses 1 "permission denied" run --dir "$work/full/n"
    refuses 1 "permission denied" init --dir "$work/full/m"
    umount "$work/full"
fi
if [ "$(id -u)" != 0 ]; then
    mkdir -m 500 "$work/closed"
    refuses 1 "permission denied" init --dir "$work/closed/n"
fi
if [ -w /dev/full ]; then
    status=0
    "$GRAPEVINE" help >/dev/full 2>"$work/err" || status=$?
    [ "$status" = 1 ] || fail "lost output is not noticed"
fi

echo "-- keys that others can read are refused"
chmod 640 "$a/admin.key"
refuses 1 "chmod 600" invite --dir "$a"
chmod 600 "$a/admin.key"
cp "$a/node.key" "$work/wrong.key" && chmod 600 "$work/wrong.key"
refuses 1 'not a "grapevine admin key 1" file' invite --dir "$a" --key "$work/wrong.key"
refuses 3 "no administrator's key" invite --dir "$a" --key "$work/nothing.key"
refuses 3 "no administrator's key" invite --dir "$work"

echo "-- invite"
refuses 4 "start it with: grapevine run --dir $a" invite --dir "$a"
start a --dir "$a" --set listen.http=127.0.0.1:0 --set listen.mesh=127.0.0.1:0
inviter=$pid
expect 0 invite --dir "$a"
[ "$(wc -l <"$work/out")" = 1 ] && grep -Eqx 'gv1_[A-Za-z0-9_-]+' "$work/out" ||
    fail "not one token"
token=$(cat "$work/out")
expect 0 invite --dir "$a" --tier cloud --region eu --expires 30m --uses 3 -o json
[ "$(json 'd["tier"]')" = cloud ] && [ "$(json 'd["region"]')" = eu ] &&
    [ "$(json 'd["uses"]')" = 3 ]
[ "$(json 'd["peers"]')" = "['127.0.0.1:7300']" ] || fail "the token lacks this node's address"
cloud_token=$(json 'd["token"]')
refuses 2 "no such tier" invite --dir "$a" --tier moon
refuses 2 "not a time" invite --dir "$a" --expires 5
refuses 2 "not a time" invite --dir "$a" --expires 5000d
refuses 2 "not a number" invite --dir "$a" --uses 0
mkdir "$work/laptop" && mv "$a/admin.key" "$work/laptop/"
refuses 3 "no administrator's key" invite --dir "$a"
expect 0 invite --dir "$a" --key "$work/laptop/admin.key"
GRAPEVINE_KEY=$work/laptop/admin.key expect 0 invite --dir "$a"
expect 0 init --dir "$work/other" --name other
refuses 3 "refused (wrong_mesh)" invite --dir "$a" --key "$work/other/admin.key"
kill "$inviter" && ends_with 0 "$inviter"

echo "-- join"
rm "$a/root.key" # nothing needs it any more
expect 0 join "$token" --dir "$work/j" --name cloud-1 --tier cloud --region us --http 127.0.0.1:0 \
    --mesh 127.0.0.1:0 --peer 127.0.0.1:7301
[ "$(mode "$work/j/node.key")" = 600 ] || fail "mode of the joined key"
[ ! -e "$work/j/root.key" ] && [ ! -e "$work/j/admin.key" ] || fail "join made a mesh's key"
grep -q -- "- 127.0.0.1:7300" "$work/j/grapevine.yaml" || fail "no peer from the token"
grep -q -- "- 127.0.0.1:7301" "$work/j/grapevine.yaml" || fail "no peer from the flag"
expect 0 config check --dir "$work/j"
printf '  %s\n' "$cloud_token" >"$work/token"
timeout 60 "$GRAPEVINE" join - --dir "$work/k" \
    --name cloud-2 -o json <"$work/token" >"$work/out" 2>"$work/err" ||
    fail "join from stdin"
[ "$(json 'd["tier"]')" = cloud ] && [ "$(json 'd["region"]')" = eu ] ||
    fail "the token's tier and region"
refuses 3 "already a node's directory" join "$token" --dir "$work/k"
refuses 3 "it is for tier cloud and region eu, not edge and eu" join "$cloud_token" \
    --dir "$work/no" --tier edge
refuses 3 "it is for tier cloud and region eu" join "$cloud_token" --dir "$work/no" --region us
refuses 3 "not an invitation" join "${token%????}" --dir "$work/no"
refuses 3 "not an invitation" join gv1_ --dir "$work/no"
refuses 3 "not an invitation" join hello --dir "$work/no"
altered=${token:0:200}$([ "${token:200:1}" = A ] && echo B || echo A)${token:201}
refuses 3 "not an invitation" join "$altered" --dir "$work/no"
refuses 3 "not an invitation" join "$token$token$token$token$token$token$token$token" \
    --dir "$work/no"
refuses 2 "--peer: expected HOST:PORT" join "$token" --dir "$work/no" --peer nowhere
gone "$work/no"

echo "-- config errors"
bad() { # bad TEXT YAML: the message, and nothing starts
    printf '%b' "$2" >"$work/bad.yaml"
    refuses 1 "$1" config check "$work/bad.yaml"
}
bad "bad.yaml:2:9: node.tier: expected edge, regional or cloud, found \"moon\"" \
    'node: {name: a,\n  tier: moon}\n'
bad "bad.yaml:1:8: node.nmae: unknown key; did you mean node.name?" 'node: {nmae: a}\n'
bad "bad.yaml:1:1: node.name: missing" '\n'
bad "bad.yaml:2:7: node.name: missing" 'lanes: 1\nnode: {tier: edge}\n'
bad "given twice" 'lanes: 1\nlanes: 1\n'
bad "not valid YAML" 'node: {\n'
bad "limits.body: expected a size" 'limits: {body: big}\n'
bad "only one document" 'node: {name: a}\n---\nnode: {name: b}\n'
bad "not supported yet; its OpenAI surface works with kind: openai" \
    'backends: [{name: a, url: "http://h", kind: vllm}]\n'
refuses 1 "no configuration" config check "$work/nowhere.yaml"
refuses 1 "no configuration" run --dir "$work/nowhere"
expect 0 config check --dir "$a" --set limits.queue=9 --set 'peers=[127.0.0.1:7301]'
out "1 peers"
refuses 2 "--set node.tier=moon: node.tier: expected" config check --dir "$a" --set node.tier=moon
refuses 2 "did you mean limits.queue?" config check --dir "$a" --set limits.queu=1
refuses 2 "expected KEY=VALUE" config check --dir "$a" --set nonsense

echo "-- nobody runs: exit status 4"
refuses 4 "start it with: grapevine run --dir $a" status --dir "$a"
refuses 4 "start it with" ls nodes --dir "$a"
refuses 4 "start it with" ls models --dir "$a"
refuses 4 "start it with" receipt get x --dir "$a"
refuses 4 "start it with" events --dir "$a"
refuses 4 "start it with" leave --dir "$a"
refuses 4 "start it with" gossip key status --dir "$a"
refuses 4 "start it with" gossip key rotate --dir "$a" --key "$work/laptop/admin.key"
refuses 3 "no administrator's key" gossip key rotate --dir "$a" --key "$work/nothing.key"

echo "-- receipts that are none"
echo '{}' >"$work/receipt.json"
expect 1 receipt verify "$work/receipt.json" && out "not valid"
refuses 1 "no such thing" receipt verify "$work/no-receipt.json"
refuses 2 "not a public key" receipt verify --root zzz "$work/receipt.json"
refuses 2 "not a request id" receipt get "two words" --dir "$a"

echo "-- run refuses what does not fit together"
r=$work/j
refuses 3 "node.tier is edge, but this node's certificate says cloud" run --dir "$r" \
    --set node.tier=edge
sed -i 's/^  region: us .*/  region: mars/' "$r/grapevine.yaml"
line=$(grep -n 'region: mars' "$r/grapevine.yaml" | cut -d: -f1)
refuses 3 "grapevine.yaml:$line: node.region is mars" run --dir "$r"
sed -i 's/^  region: mars/  region: us/' "$r/grapevine.yaml"
cp "$r/node.key" "$work/own.key"
cp "$a/node.key" "$r/node.key"
refuses 3 "do not belong together" run --dir "$r"
cp "$work/own.key" "$r/node.key"
chmod 644 "$r/node.key"
refuses 1 "chmod 600" run --dir "$r"
chmod 600 "$r/node.key"
echo damaged >"$work/cert" && cp "$r/node.cert" "$work/own.cert" && cp "$work/cert" "$r/node.cert"
refuses 1 "or damaged" run --dir "$r"
cp "$work/own.cert" "$r/node.cert"
long=$work/$(printf 'x%.0s' $(seq 120))
expect 0 init --dir "$long" --name l
refuses 1 "path too long for a socket" run --dir "$long"

echo "-- run"
start j --dir "$r" --set 'peers=[]'
[[ $ready =~ ^ready\ http=127.0.0.1:[0-9]+\ mesh=127.0.0.1:[0-9]+\ node=cloud-1$ ]] ||
    fail "ready line: $ready"
[ "$(mode "$r/control.sock")" = 600 ] || fail "mode of control.sock"
expect 0 status --dir "$r" && out "cloud-1"
expect 0 status --dir "$r" -o json
[ "$(json 'd["node"]')" = cloud-1 ] && [ "$(json 'd["state"]')" = ready ] &&
    [ "$(json 'd["alive"]')" = 1 ]
expect 0 ls nodes --dir "$r" && out "NAME" && out "cloud-1*"
expect 0 ls nodes --dir "$r" -o json
[ "$(json 'len(d["nodes"])')" = 1 ] && [ "$(json 'd["nodes"][0]["self"]')" = True ] ||
    fail "ls nodes"
first=$(json 'd["nodes"][0]["incarnation"]')
expect 0 ls models --dir "$r" -o json && [ "$(json 'd["models"]')" = "[]" ] || fail "ls models"
refuses 1 "no such receipt" receipt get nothing-here --dir "$r"
refuses 1 "already running" run --dir "$r"
printf 'node: {name: cloud-1, tier: cloud, region: us}\nlimits: {queue: many}\n' >"$r/new.yaml"
cp "$r/grapevine.yaml" "$work/good.yaml" && cp "$r/new.yaml" "$r/grapevine.yaml"
kill -HUP "$pid"
wait_for_line "$work/j.err" "reload_refused"
grep -q '"reload_refused".*"invalid".*limits.queue: expected' "$work/j.err" ||
    fail "the log does not say what is wrong"
sed 's/^  name: cloud-1 .*/  name: cloud-9/' "$work/good.yaml" >"$r/grapevine.yaml"
kill -HUP "$pid"
wait_for_line "$work/j.err" "node.name is cloud-9, but this node's certificate says cloud-1"
! grep -v '^{' "$work/j.err" || fail "a line of the log is no JSON"
cp "$work/good.yaml" "$r/grapevine.yaml"
kill -HUP "$pid"
wait_for_line "$work/j.err" '"reloaded"'
kill -TERM "$pid"
ends_with 0 "$pid"
[ "$(wc -l <"$work/j.out")" = 1 ] || fail "more than the ready line on stdout"
[ ! -e "$r/control.sock" ] || refuses 4 "start it with" status --dir "$r"

echo "-- run again: the boot number rises; systemd is told"
cat >"$work/notify.py" <<'PY'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(60)
with open(sys.argv[2], "w") as log:
    for _ in range(2):
        log.write(s.recv(100).decode() + "\n")
        log.flush()
PY
"$PYTHON" "$work/notify.py" "$work/notify.sock" "$work/notify.log" &
listener=$!
started+=("$listener")
for _ in $(seq 100); do [ -S "$work/notify.sock" ] && break || sleep 0.1; done
export NOTIFY_SOCKET=$work/notify.sock
start j --dir "$r" --set 'peers=[]' --set log.format=text
unset NOTIFY_SOCKET
wait_for_line "$work/notify.log" "READY=1"
expect 0 ls nodes --dir "$r" -o json
[ "$(json 'd["nodes"][0]["incarnation"]')" -gt "$first" ] || fail "the boot number did not rise"
grep -q ' INFO ready ' "$work/j.err" || fail "log.format=text"
kill -INT "$pid"
ends_with 0 "$pid"
wait_for_line "$work/notify.log" "STOPPING=1"
wait "$listener" || true

echo "-- a request that runs: the first SIGTERM waits for it, the second does not"
cat >"$work/engine.py" <<'PY'
# An engine that lists one model and never answers a request.
import http.server, sys, time

class Engine(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"object":"list","data":[{"id":"slow","object":"model"}]}'
        self.send_response(200 if self.path == "/v1/models" else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        print("asked", flush=True)
        time.sleep(600)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Engine)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
"$PYTHON" "$work/engine.py" >"$work/engine.out" &
started+=("$!")
for _ in $(seq 100); do [ -s "$work/engine.out" ] && break || sleep 0.1; done
engine=http://127.0.0.1:$(head -n 1 "$work/engine.out")
start j --dir "$r" --set 'peers=[]' --set "backends=[{name: e, url: \"$engine\", kind: openai}]"
http=$(sed 's/.*http=\([^ ]*\) .*/\1/' <<<"$ready")
curl -s -m 60 "http://$http/v1/chat/completions" -d '{"model":"slow","messages":[]}' >/dev/null &
started+=("$!")
wait_for_line "$work/engine.out" "asked"
kill -TERM "$pid"
wait_for_line "$work/j.err" '"draining"'
sleep 0.5
kill -0 "$pid" 2>/dev/null || fail "the first SIGTERM did not wait for the request"
kill -TERM "$pid"
ends_with 1 "$pid"

echo "-- a port that is taken"
start j --dir "$r" --set 'peers=[]'
port=$(sed 's/.*http=\([^ ]*\) .*/\1/' <<<"$ready")
sed -i "s/^  mesh: .*/  mesh: 127.0.0.1:0/" "$a/grapevine.yaml"
expect 1 run --dir "$a" --set "listen.http=$port"
err "the address is taken"
gone "$a/control.sock"
mesh_port=$(sed 's/.*mesh=\([^ ]*\) .*/\1/' <<<"$ready")
expect 1 run --dir "$a" --set listen.http=127.0.0.1:0 --set "listen.mesh=$mesh_port"
err "the address is taken"
err "listen.mesh"
gone "$a/control.sock"
kill -TERM "$pid"
ends_with 0 "$pid"

echo "-- run --dev"
start dev --dev
[[ $ready =~ node=dev$ ]] || fail "ready line of --dev: $ready"
dev_pid=$pid
start dev2 --dev --backend http://127.0.0.1:9
[ "$(find "$TMPDIR" -maxdepth 1 -name 'grapevine-*' | wc -l)" = 2 ] || fail "--dev directories"
kill -TERM "$pid" && ends_with 0 "$pid"
kill -HUP "$dev_pid" && ends_with 0 "$dev_pid"
[ -z "$(ls -A "$TMPDIR")" ] || fail "--dev left: $(ls -A "$TMPDIR")"
TMPDIR=$work/missing refuses 1 "temporary directory" run --dev

echo "test_cli: passed"
