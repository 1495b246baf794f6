#!/bin/bash
# Starts JupyterLab, or under JupyterHub the hub's server for one user.
# Arguments, and those in NOTEBOOK_ARGS, go to Jupyter.
set -euo pipefail

read -ra args <<<"${NOTEBOOK_ARGS:-}"
command=(jupyter "${DOCKER_STACKS_JUPYTER_CMD:-lab}")
if [ -n "${JUPYTERHUB_API_TOKEN:-}" ] || [[ $0 == *start-singleuser* ]]; then
	command=(jupyterhub-singleuser)
fi
exec "${command[@]}" "${args[@]}" "$@"
