#!/usr/bin/env bash
# Builds the CPU image and tries it as a user would, with networking off;
# `make test-image` calls it. Settings are those of build.sh, and
#
#	RUNNER     docker or podman, with any options of its own, if ENGINE only
#	           builds (ENGINE)
#	RUN_FLAGS  more options for `run`
#	SKIP_BUILD 1 tests an image that is there already
set -euo pipefail
cd "$(dirname "$0")/.."

export IMAGE=${IMAGE:-camlab:cpu} TARGET=cpu
[ "${SKIP_BUILD:-}" = 1 ] || docker/build.sh
built=$SECONDS
if [ -z "${RUNNER:=${ENGINE:-}}" ]; then
	for RUNNER in docker podman none; do
		! command -v "$RUNNER" >/dev/null || break
	done
fi
read -ra runner <<<"$RUNNER"
case $(basename "${runner[0]}") in docker | podman) ;; *)
	echo "$RUNNER runs no containers: name docker or podman in RUNNER" >&2
	exit 1
	;;
esac
read -ra flags <<<"${RUN_FLAGS:-}"

name=camlab-test-$$
work=$(mktemp -d)
chmod 777 "$work" # the container's user is another one
engine() { "${runner[@]}" "$@"; }
run() { engine run --network none "${flags[@]}" "$@"; }
cleanup() {
	engine rm -f "$name" >/dev/null 2>&1 || true
	# Files of the container's user: with a rootless engine only it can remove them.
	run --rm --user root --entrypoint find -v "$work:/mnt" "$IMAGE" /mnt -mindepth 1 -delete >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap cleanup EXIT

fail() {
	echo "FAILED: $*" >&2
	engine logs "$name" 2>&1 | tail -n 20 >&2 || true
	exit 1
}
pass() { printf 'ok %4d s  %s\n' "$((SECONDS - built))" "$*"; }
# expect WANT GOT WHAT
expect() { [ "$1" = "$2" ] || fail "$3: $2, want $1"; }
# seconds COMMAND... runs it and prints how long it took
seconds() {
	local start=$EPOCHREALTIME
	"$@" >/dev/null
	awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}'
}
# status PATH [TOKEN] is what the server answers, redirects not followed.
status() {
	engine exec "$name" python -c '
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", 8888, timeout=20)
c.request("GET", sys.argv[1], headers={"Authorization": "token " + sys.argv[2]} if sys.argv[2:] else {})
print(c.getresponse().status)' "$@"
}
health() {
	case $(basename "${runner[0]}") in
	podman) ! engine healthcheck run "$name" >/dev/null 2>&1 || echo healthy ;;
	docker) engine inspect -f '{{.State.Health.Status}}' "$name" ;;
	esac
}
# start ARGS... starts a server and waits until its health check passes.
start() {
	engine rm -f "$name" >/dev/null 2>&1 || true
	run -d --name "$name" "$@" >/dev/null
	local begin=$SECONDS
	until [ "$(health)" = healthy ]; do
		[ $((SECONDS - begin)) -lt 90 ] || fail "not healthy after 90 s"
		sleep 1
	done
}

# logged tells whether the server wrote a pattern. The log is read whole before grep -q,
# which may end sooner and have the writer fail.
logged() {
	local log
	log=$(engine logs "$name" 2>&1)
	grep -Eq "$1" <<<"$log"
}

echo "built in $built s, $(engine image inspect -f '{{.Size}}' "$IMAGE" | awk '{printf "%.0f MB", $1 / 1e6}')"
engine history --format '{{.Size}}  {{.CreatedBy}}' "$IMAGE" | awk '$1 != "0" && $1 != "0B" {print "  " substr($0, 1, 110)}'

# A server as its own user.
start -e JUPYTER_TOKEN=correct-horse -v "$work:/home/jovyan/work" "$IMAGE"
pass "healthy"
expect 1000 "$(engine exec "$name" id -u)" "user"
expect 403 "$(status /api/contents)" "files without a token"
expect 302 "$(status /lab)" "JupyterLab without a token"
expect 403 "$(status /api/contents wrong)" "files with a wrong token"
expect 200 "$(status /api/contents correct-horse)" "files with the token"
expect 200 "$(status /lab/tree/notebooks/01_article.ipynb correct-horse)" "the article's notebook"
pass "opens with the token only"
took=$(seconds engine exec "$name" camlab notebook notebooks/01_article.ipynb --quick --out work/out)
pass "01_article in quick mode, without network: $took s"
expect 1000 "$(engine exec "$name" stat -c %u work/out/01_article.ipynb)" "owner of a file in the mounted folder"
[ -s "$work/out/01_article.ipynb" ] || fail "the executed notebook is not in the mounted folder"
pass "the mounted folder keeps it"
took=$(seconds engine stop -t 30 "$name")
awk -v t="$took" 'BEGIN {exit !(t < 10)}' || fail "stopped in $took s, want less than 10"
pass "stopped in $took s"

# A server without a token in its environment, and with an empty one, makes one up.
for token in "" "-e JUPYTER_TOKEN="; do
	# shellcheck disable=SC2086 # none or two words
	start $token -e NOTEBOOK_ARGS=--ServerApp.base_url=/me/ "$IMAGE"
	expect 403 "$(status /me/api/contents)" "files without a token"
	logged 'token=[0-9a-f]{48}' || fail "no token was printed"
done
pass "prints a token of its own; healthy at another base URL"

# Commands.
run --rm -v "$work:/home/jovyan/work" "$IMAGE" camlab explain --split sample --index 3 --out work/maps >/dev/null
[ -s "$work/maps/manifest.json" ] || fail "camlab explain wrote no manifest.json"
pass "camlab explain"
version=$(run --rm "$IMAGE" jupyterhub-singleuser --version)
expect "$(sed -n 's/^jupyterhub==//p' docker/requirements.txt)" "$version" "jupyterhub-singleuser --version"
run --rm "$IMAGE" jupyterhub-singleuser --help >/dev/null
pass "jupyterhub-singleuser $version"
out=$(run --rm "$IMAGE" camlab doctor) || fail "camlab doctor: $out"
pass "camlab doctor"

# Other users.
start --user root -e NB_UID=12345 -e NB_GID=54321 -v "$work:/home/jovyan/work" "$IMAGE"
expect 12345 "$(engine exec "$name" stat -c %u /tmp/jupyter-runtime)" "the server's user with NB_UID"
engine rm -f "$name" >/dev/null
mkdir "$work/remapped" && chmod 777 "$work/remapped"
got=$(run --rm --user root -e NB_UID=12345 -e NB_GID=54321 -v "$work:/home/jovyan/work" "$IMAGE" bash -c \
	'touch work/remapped/f ~/g && camlab notebook notebooks/04_importing_camlib.ipynb --quick --out work/remapped >/dev/null && stat -c %u:%g work/remapped/f ~ work/remapped/04_importing_camlib.ipynb' | xargs)
expect "12345:54321 12345:54321 12345:54321" "$got" "owners with NB_UID and NB_GID"
pass "NB_UID and NB_GID"
if out=$(run --rm --user root -e NB_UID=0 "$IMAGE" true 2>&1); then fail "NB_UID=0 was accepted"; fi
[[ $out == *"NB_UID=0"* ]] || fail "NB_UID=0: $out"
start --user 4321 "$IMAGE"
engine exec -e HOME=/tmp/home "$name" camlab notebook /tmp/home/notebooks/04_importing_camlib.ipynb --quick --out /tmp/out >/dev/null
logged 'group-add users' || fail "--user 4321: nothing was said about the home folder"
pass "--user with any number"
# A module from a host that the image has none of, out of a proxy made of files.
out=$(run --rm --user 4321 "$IMAGE" bash -c '
	mkdir -p /tmp/proxy/example.com/hello/@v /tmp/cell
	cd /tmp/proxy/example.com/hello/@v
	python -c "
import zipfile
with zipfile.ZipFile(\"v1.0.0.zip\", \"w\") as z:
    for name, text in (\"go.mod\", \"module example.com/hello\"), (\"hello.go\", \"package hello\"):
        z.writestr(\"example.com/hello@v1.0.0/\" + name, text)"
	echo "module example.com/hello" >v1.0.0.mod
	echo "{\"Version\":\"v1.0.0\"}" >v1.0.0.info
	cd /tmp/cell
	go mod init cell && GOPROXY=file:///tmp/proxy GONOSUMDB=example.com go get example.com/hello@v1.0.0' 2>&1) || fail "go get: $out"
pass "go get of a new module, as any user"
