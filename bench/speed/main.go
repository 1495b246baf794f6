// Command speed measures camlab beside PyTorch, TensorFlow, JAX, torch-cam and
// pytorch-grad-cam, on the same machine in the same run, and writes a table.
//
//	go run ./bench/speed [-only PART,…] [-rounds 5] [-python .venv-peers/bin/python] [-before PROGRAM] [-backend xla:cuda -out FOLDER]
//
// Every contestant is a process that waits until it is told to work, so that they take
// turns, A B C A B C …, and the drift of a machine meets all of them. A ratio is the median
// of the rounds' ratios. Peers that are not installed are skipped by name.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/network"
)

// flags are the command line's.
type flags struct {
	only, python, data, out string
	rounds, images          int
	worker, before, backend string
	networks                string
	foreign                 bool
}

func main() {
	var f flags
	flag.StringVar(&f.only, "only", partNames(), "parts to measure; the others keep their last results")
	flag.StringVar(&f.python, "python", ".venv-peers/bin/python", "Python that has the peers")
	flag.StringVar(&f.data, "data", os.Getenv("CAMLAB_DATA"), "folder of CIFAR-10; empty is the user's cache folder")
	flag.StringVar(&f.out, "out", "bench", "folder for RESULTS.md and results.json")
	flag.IntVar(&f.rounds, "rounds", 5, "turns of each contestant")
	flag.IntVar(&f.images, "images", 1000, "test images to make maps of")
	flag.StringVar(&f.worker, "worker", "", "folder; be the contestant camlab (for this program's own use)")
	flag.BoolVar(&f.foreign, "foreign", false, "of torchvision's networks (for this program's own use)")
	flag.StringVar(&f.networks, "networks", "alexnet,vgg16,resnet18,resnet50,mobilenet_v2,efficientnet_b0,densenet121,convnext_tiny,vit_b_16", "those of torchvision that the part networks measures")
	flag.StringVar(&f.backend, "backend", camlib.XLACPU, "backend of camlab; with "+camlib.XLACUDA+" PyTorch computes on the graphics card too, and no other library takes part")
	flag.StringVar(&f.before, "before", "", "build of this program from another checkout, which takes turns with the rest")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	run := measure
	if f.worker != "" {
		run = work
	}
	err := run(ctx, f)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: speed: %v\n", err)
		os.Exit(1)
	}
}

// measure runs the parts and writes the table after each.
func measure(ctx context.Context, f flags) error {
	if f.rounds < 1 || f.images < 1 {
		return fmt.Errorf("-rounds %d, -images %d, want 1 or more", f.rounds, f.images)
	}
	only := strings.Split(f.only, ",")
	for _, name := range only {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("-only %q, want some of %s", name, partNames())
		}
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "camlab-speed-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := export(ctx, folder, f.data); err != nil {
		return err
	}
	results, err := readResults(f.out)
	if err != nil {
		return err
	}
	b := &bench{flags: f, folder: folder}
	for _, p := range parts {
		if !slices.Contains(only, p.name) {
			continue
		}
		tables, err := p.run(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if tables == nil {
			continue // nothing could be measured; the last results stay
		}
		results.Parts[p.name] = tables
		results.machine(p.name)
		if err := results.write(f.out); err != nil {
			return err
		}
	}
	return nil
}

// export writes what all contestants read.
func export(ctx context.Context, folder, data string) error {
	for split, name := range map[cifar10.Split]string{cifar10.Train: "train", cifar10.Test: "test"} {
		ds, err := cifar10.LoadSplit(ctx, cifar10.Options{Dir: data}, split)
		if err != nil {
			return fmt.Errorf("%w; `camlab data --download` gets it", err)
		}
		for file, values := range map[string][]uint8{name: ds.Pixels, name + "_labels": ds.Labels} {
			if err := os.WriteFile(filepath.Join(folder, file+".bin"), values, 0o644); err != nil {
				return err
			}
		}
	}
	if err := os.CopyFS(folder, scripts); err != nil {
		return err
	}
	m, err := article.Pretrained()
	if err != nil {
		return err
	}
	weights, err := m.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, network.ModelFile), weights, 0o644)
}

// results are what is known, also from earlier runs of other parts.
type results struct {
	Machine map[string]string  `json:"machine"` // when and where each part was measured
	Parts   map[string][]table `json:"parts"`
}

func readResults(folder string) (*results, error) {
	r := &results{make(map[string]string), make(map[string][]table)}
	text, err := os.ReadFile(filepath.Join(folder, "results.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(text, r)
}
