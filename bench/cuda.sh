#!/bin/sh
# What make test-cuda does: holds a machine's NVIDIA GPU to its CPU, and measures speed there.
# It ends with status 2, and has checked nothing, where there is no GPU; with 1 if something is
# off. Settings:
#
#	CUDA_DIR     folder for XLA's CUDA plugin and NVIDIA's libraries (.venv/cuda)
#	TORCH        Python that has a PyTorch for CUDA (python3, if it has one)
#	CAMLAB_DATA  CIFAR-10, for the speed, which is left out where there is none
#
# PJRT_PLUGIN_LIBRARY_PATH with a CUDA plugin in it keeps that one.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
dir=$(realpath -m "${CUDA_DIR:-.venv/cuda}")
torch=${TORCH:-python3}

say() { printf 'test-cuda: %s\n' "$*"; }

if ! cards=$(nvidia-smi -L 2>&1) || ! printf '%s\n' "$cards" | grep -q '^GPU'; then
	say "no NVIDIA GPU: nvidia-smi -L says: $cards"
	say "nothing was checked"
	exit 2
fi
say "$cards"

# The plugin, as docs/troubleshooting.md has it.
found=
for folder in $(printf '%s' "${PJRT_PLUGIN_LIBRARY_PATH:-}" | tr : ' '); do
	for file in "$folder"/pjrt*cuda*.so; do
		if [ -e "$file" ]; then found=$folder; fi
	done
done
if [ -z "$found" ]; then
	plugin=$dir/nvidia/pjrt_c_api_cuda_plugin.so
	if [ ! -e "$plugin" ]; then
		say "installing XLA's CUDA plugin and NVIDIA's libraries into $dir, 3 GB"
		.venv/bin/pip install -q --no-deps --target "$dir" -r docker/requirements-cuda.txt
		mkdir -p "$dir/nvidia/bin"
		ln -sf ../cu13/bin/ptxas "$dir/nvidia/bin/ptxas"
		ln -sf "$(find "$dir" -name xla_cuda_plugin.so)" "$plugin"
	fi
	found=$dir/nvidia
	export PJRT_PLUGIN_LIBRARY_PATH="$found"
	export LD_LIBRARY_PATH="$dir/nvidia/cu13/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
say "plugin in $found"

status=0
say "maps, 20 training steps:"
$go run ./bench/parity || status=1

say "speed:"
if ! "$torch" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
	say "$torch has no PyTorch for CUDA, which is not measured; TORCH=PYTHON names one that has"
	torch=/nonexistent
fi
if ! .venv/bin/camlab data >/dev/null 2>&1; then
	say "no CIFAR-10 here, so that speed was not measured; make data gets it"
else
	$go run ./bench/speed -backend xla:cuda -python "$torch" -rounds 3 -only training -out out/cuda || status=1
	cat out/cuda/RESULTS.md || status=1
fi
if [ $status = 0 ]; then say "all that was checked is well"; else say "something is off, see above"; fi
exit $status
