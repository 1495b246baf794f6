package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/plugin"
)

// The texts of the flags that several commands share.
const (
	dataUsage = "folder or archive of CIFAR-10 (default $CAMLAB_DATA, else camlab/cifar10 in the user's cache folder)"
	jsonUsage = "print JSON for programs"
)

var backendUsage = backend.Names() + " (default XLA if its plugin is installed, else go, tens of times slower)"

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("camlab: %w", err)
	}
	return nil
}

const splitUsage = "test, train, or sample: 1,000 test images that are inside camlab"

// openSplit reads the images that --split and --data name.
func openSplit(ctx context.Context, split, data string) (*cifar10.Dataset, error) {
	if split == "sample" {
		return cifar10.Sample(), nil
	}
	ds, err := cifar10.LoadSplit(ctx, cifar10.Options{Dir: data}, cifar10.Split(split))
	if errors.Is(err, cifar10.ErrNoData) {
		return nil, fmt.Errorf("%w (--split sample)", err)
	}
	return ds, err
}

// opener returns what opens the backend that --backend names, when it is first needed.
func opener(cmd *cobra.Command, name string) func() (compute.Backend, error) {
	return openerWith(cmd, name, 0)
}

// openerWith is opener of a backend with so many devices.
func openerWith(cmd *cobra.Command, name string, devices int) func() (compute.Backend, error) {
	return sync.OnceValues(func() (compute.Backend, error) { return openBackend(cmd, name, devices) })
}

// devicesFlag adds --devices.
func devicesFlag(f *pflag.FlagSet, devices *int) {
	f.IntVar(devices, "devices", 0, "devices of the backend that share the work: graphics cards, or of a CPU any number of virtual ones, which share its cores (default one)")
}

// openBackend opens the backend that --backend names, with as many devices as --devices says, and
// says what it costs when it is the pure-Go one only for want of a plugin.
func openBackend(cmd *cobra.Command, name string, devices int) (compute.Backend, error) {
	if devices < 0 {
		return nil, fmt.Errorf("%s: --devices %d, want 1 or more", cmd.Name(), devices)
	}
	b, err := camlib.BackendWith(name, devices)
	if err != nil {
		return nil, err
	}
	if _, err := exec.Among(b, devices); err != nil {
		return nil, fmt.Errorf("%s: --devices: %w", cmd.Name(), err)
	}
	if name == "" && os.Getenv(compute.ConfigEnvVar) == "" && camlib.IsPureGo(b) {
		why, mend := "no XLA plugin found", "; `camlab setup` installs the plugin"
		if !plugin.Loads {
			why, mend = "built without cgo, which loads XLA's plugin", ""
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "camlab: %s, so the pure-Go backend computes: tens of times slower%s\n", why, mend)
	}
	return b, nil
}

// fitting returns the methods that were looked up by names without those that only "all"
// names and that do not take the network, and says which these are. They are tried on noise.
func fitting(cmd *cobra.Command, e *cam.Explainer, net *network.Network, raw bool, names []string, methods []cam.Method) (fit []cam.Method, err error) {
	for _, m := range methods {
		s := m.Spec()
		named := slices.ContainsFunc(names, func(name string) bool { return cam.FileName(name) == cam.FileName(s.Name) })
		if !named && s.Choosy {
			_, err := e.Explain(cmd.Context(), m, noise(net.Input.Size, raw), cam.Predicted)
			switch {
			case cam.Refused(err):
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: without %s: %v\n", cmd.Name(), s.Name, err)
				continue
			case err != nil:
				return nil, err
			}
		}
		fit = append(fit, m)
	}
	return fit, nil
}

// noise is an image of independent pixels, or of what a graph takes of them, around 0.
func noise(size images.Size, raw bool) images.Batch {
	x := images.NewBatch(1, size)
	x.Raw = raw
	rng := rand.New(rand.NewPCG(0, 0))
	for i := range x.Pixels {
		if x.Pixels[i] = rng.Float32(); raw {
			x.Pixels[i] = float32(rng.NormFloat64())
		}
	}
	return x
}

// comparison is what the commands that compare methods are told alike.
type comparison struct {
	model                modelFlags
	data, split, backend string
	methods              []string
}

func (o *comparison) flags(f *pflag.FlagSet, methods string) {
	f.StringVar(&o.model.name, "model", "article", modelUsage)
	f.StringVar(&o.data, "data", "", dataUsage)
	f.StringVar(&o.split, "split", "test", splitUsage)
	f.StringSliceVar(&o.methods, "method", []string{methods}, methodUsage())
	f.StringVar(&o.backend, "backend", "", backendUsage)
}

func (o *comparison) open(cmd *cobra.Command) (methods []cam.Method, net *network.Network, ds *cifar10.Dataset, backend compute.Backend, err error) {
	if _, err = lookup(o.methods, &network.Network{}); err != nil { // before a model is read
		return nil, nil, nil, nil, err
	}
	open := opener(cmd, o.backend)
	m, err := o.model.open(false, open)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if ds, err = openSplit(cmd.Context(), o.split, o.data); err != nil {
		return nil, nil, nil, nil, err
	}
	if err := m.takes(ds, true); err != nil {
		return nil, nil, nil, nil, fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	if methods, err = lookup(o.methods, m.net); err != nil {
		return nil, nil, nil, nil, err
	}
	backend, err = open()
	return methods, m.net, ds, backend, err
}
