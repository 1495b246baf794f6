package main

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/camlib"
)

// request is work for a contestant; peers.py reads it too.
type request struct {
	Task    string `json:"task"` // train, epoch, forward, cam, camall, gradcam, scorecam, ablationcam
	Images  int    `json:"images"`
	Batch   int    `json:"batch"`
	Inner   int    `json:"inner"` // changed images in one run, of methods that try them
	Side    int    `json:"side"`  // of an image, in pixels
	Augment bool   `json:"augment"`
	DType   string `json:"dtype"`
	Network string `json:"network"` // article, best (to train), or one of torchvision's
}

// answer is what the work took.
type answer struct {
	Version  string  `json:"version,omitempty"` // in the first answer alone
	Seconds  float64 `json:"seconds"`
	Prepared float64 `json:"prepared"` // seconds of compiling and warming up, 0 if that was done before
	Peak     int64   `json:"peak"`     // bytes of memory, at most, until now
	Skip     string  `json:"skip,omitempty"`
}

// kind is a sort of contestant.
type kind struct {
	name, peer string // peer is its name in the script, "" for a build of camlab
	env        []string
	foreign    bool // does torchvision's networks, not the article's
}

// With these glibc gives large arrays huge pages and keeps them, instead of having the
// kernel clear fresh ones in every step.
const malloc = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4000000000:glibc.malloc.trim_threshold=40000000000"

var (
	ours       = kind{name: "camlab"}
	earlier    = kind{name: "camlab before"} // takes part with -before
	pyTorch    = kind{name: "PyTorch", peer: "PyTorch"}
	pyTorchM   = kind{name: "PyTorch, malloc tuned", peer: "PyTorch", env: []string{malloc}}
	compiled   = kind{name: "PyTorch compiled", peer: "PyTorch compiled"}
	tensorFlow = kind{name: "TensorFlow", peer: "TensorFlow"}
	jax        = kind{name: "JAX", peer: "JAX"}
	torchCAM   = kind{name: "torch-cam", peer: "torch-cam"}
	gradCAM    = kind{name: "pytorch-grad-cam", peer: "pytorch-grad-cam"}
	onnxRun    = kind{name: "onnxruntime", peer: "onnxruntime"}
)

// onCards are the peers that peers.py has compute on a graphics card.
var onCards = []string{pyTorch.name, compiled.name}

// scripts are those of the peers; networks.py imports peers.py.
//
//go:embed peers.py networks.py
var scripts embed.FS

// command is a contestant's process, on so many processors; 0 is all.
func (b *bench) command(ctx context.Context, k kind, threads int, args ...string) (*exec.Cmd, error) {
	line := []string{}
	if threads > 0 {
		line = []string{"taskset", "-c", fmt.Sprintf("0-%d", threads-1)}
	}
	if k.peer == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		if k.name == earlier.name {
			self = b.flags.before
		}
		line = append(line, self, "-worker", b.folder, "-data", b.flags.data, "-backend", b.flags.backend, fmt.Sprintf("-foreign=%v", k.foreign))
	} else {
		script := "peers.py"
		if k.foreign {
			script = "networks.py"
		}
		line = append(line, b.flags.python, filepath.Join(b.folder, script), k.peer, b.folder)
		if b.flags.backend == camlib.XLACUDA {
			if !slices.Contains(onCards, k.name) {
				return nil, errors.New("computes on the processor alone here")
			}
			k.env = append(slices.Clone(k.env), "TORCH_DEVICE=cuda")
		}
	}
	line = append(line, args...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	// An empty CXX is none for torch.compile; make sets some empty for Go.
	env := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasSuffix(s, "=") })
	cmd.Env = slices.Concat(env, k.env)
	return cmd, nil
}

// contestant is a process that waits for work.
type contestant struct {
	kind
	version string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	log     strings.Builder
}

// start starts a contestant. What cannot be started has no place in the tables, and why is
// said once.
func (b *bench) start(ctx context.Context, k kind, threads int) (*contestant, error) {
	cmd, err := b.command(ctx, k, threads)
	if err != nil {
		return nil, err
	}
	c := &contestant{kind: k, cmd: cmd}
	cmd.Stderr = &c.log
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", k.name, err)
	}
	hello, err := c.read()
	if err != nil {
		return nil, err
	}
	c.version = hello.Version
	return c, nil
}

func (c *contestant) read() (a answer, err error) {
	if !c.out.Scan() {
		err := errors.Join(c.out.Err(), c.cmd.Wait())
		lines := strings.Split(strings.TrimSpace(c.log.String()), "\n")
		return a, fmt.Errorf("%s: ended: %w: %s", c.name, err, lines[len(lines)-1])
	}
	return a, json.Unmarshal(c.out.Bytes(), &a)
}

// do has the work done.
func (c *contestant) do(r request) (answer, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return answer{}, fmt.Errorf("%s: %w", c.name, err)
	}
	return c.read()
}

// stop ends a contestant.
func (c *contestant) stop() {
	c.in.Close()
	c.cmd.Wait() //nolint:errcheck // its answers are all read
}
