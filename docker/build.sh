#!/usr/bin/env bash
# Builds the image; `make image` calls it. Settings, all optional:
#
#	ENGINE       docker, podman or buildah, with any options of its own;
#	             the first of these that is installed
#	TARGET       cpu or cuda (cpu)
#	IMAGE        name of the image (camlab:cpu or camlab:cuda)
#	BUILD_FLAGS  more options for `build`: a proxy, a CA mounted, a base image
set -euo pipefail
cd "$(dirname "$0")/.."

target=${TARGET:-cpu}
case $target in cpu | cuda) ;; *)
	echo "TARGET=$target: want cpu or cuda" >&2
	exit 2
	;;
esac
if [ -z "${ENGINE:-}" ]; then
	for ENGINE in docker podman buildah none; do
		! command -v "$ENGINE" >/dev/null || break
	done
	if [ "$ENGINE" = none ]; then
		echo "no docker, podman or buildah found: install one (https://docs.docker.com/engine/install), or name it in ENGINE" >&2
		exit 1
	fi
fi
read -ra engine <<<"$ENGINE"
read -ra flags <<<"${BUILD_FLAGS:-}"
case $(basename "${engine[0]}") in
# Images in OCI's own format have no health check; and layers are kept for the
# next build, as docker does.
podman | buildah) flags=(--format docker --layers "${flags[@]}") ;;
esac
version=$(git describe --tags --always --dirty 2>/dev/null || echo unknown)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
set -x
exec "${engine[@]}" build "${flags[@]}" -f docker/Dockerfile --target "$target" \
	--build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
	-t "${IMAGE:-camlab:$target}" .
