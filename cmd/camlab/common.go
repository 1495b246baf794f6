package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backend"
	"github.com/camlab-go/camlab/internal/plugin"
)

// The texts of the flags that several commands share.
const (
	modelUsage = "checkpoint folder, .safetensors file, or \"article\" for the shipped model"
	dataUsage  = "folder or archive of CIFAR-10 (default $CAMLAB_DATA, else camlab/cifar10 in the user's cache folder)"
	jsonUsage  = "print JSON for programs"
)

var backendUsage = backend.Names() + " (default XLA if its plugin is installed, else go, tens of times slower)"

// openModel reads the model that --model names and returns it with the sha256
// of its weights in their .safetensors form. It is the one place that knows which
// kinds of models there are. Every one has names for its classes and the size of
// the images that it was trained on.
func openModel(name string) (net *network.Network, sha string, err error) {
	if name == "article" {
		net, err = article.Pretrained()
	} else {
		net, err = article.Load(name)
	}
	if err != nil {
		return nil, "", err
	}
	data, err := net.Encode()
	if err != nil {
		return nil, "", err
	}
	return net, fmt.Sprintf("%x", sha256.Sum256(data)), nil
}

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
		return nil, fmt.Errorf("%w, or use --split sample, which needs no data", err)
	}
	return ds, err
}

// openBackend opens the backend that --backend names and says what it costs
// when it is the pure-Go one only for want of a plugin.
func openBackend(cmd *cobra.Command, name string) (compute.Backend, error) {
	b, err := camlib.Backend(name)
	if err != nil {
		return nil, err
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

// comparison is what the commands that compare methods are told alike.
type comparison struct {
	model, data, split, backend string
	methods                     []string
}

func (o *comparison) flags(f *pflag.FlagSet, methods string) {
	f.StringVar(&o.model, "model", "article", modelUsage)
	f.StringVar(&o.data, "data", "", dataUsage)
	f.StringVar(&o.split, "split", "test", splitUsage)
	f.StringSliceVar(&o.methods, "method", []string{methods}, methodUsage())
	f.StringVar(&o.backend, "backend", "", backendUsage)
}

func (o *comparison) open(cmd *cobra.Command) (methods []cam.Method, net *network.Network, ds *cifar10.Dataset, backend compute.Backend, err error) {
	if methods, err = lookup(o.methods); err != nil {
		return nil, nil, nil, nil, err
	}
	if net, _, err = openModel(o.model); err != nil {
		return nil, nil, nil, nil, err
	}
	if ds, err = openSplit(cmd.Context(), o.split, o.data); err != nil {
		return nil, nil, nil, nil, err
	}
	backend, err = openBackend(cmd, o.backend)
	return methods, net, ds, backend, err
}
