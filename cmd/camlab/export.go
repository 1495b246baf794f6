package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/card"
	"github.com/camlab-go/camlab/camlib/cifar10"
)

// exportFlags say what `camlab export` writes.
type exportFlags struct {
	model                  modelFlags
	onnx, safetensors, npz string
	dtype                  string
	split, data, backend   string
	images, activations    bool
	asJSON                 bool
}

// exported is a file that `camlab export --json` prints.
type exported struct {
	File   string `json:"file"`
	What   string `json:"what"`
	SHA256 string `json:"sha256"`
}

// floats are the types that --dtype names.
var floats = map[string]dtypes.DType{"float32": dtypes.Float32, "float16": dtypes.Float16, "bfloat16": dtypes.BFloat16}

func newExport() *cobra.Command {
	var o exportFlags
	c := &cobra.Command{
		Use:   "export",
		Short: "Write a model for other programs: ONNX, safetensors, NumPy arrays",
		Long: `Export writes what its flags name:

--onnx FILE.onnx the network for onnxruntime and others: input "image", [batch, channels,
height, width], pixels from 0 to 1; output "scores" before softmax. Beside it FILE` + card.Suffix + `
with which ` + "`camlab explain --model FILE.onnx`" + ` makes the same maps.

--safetensors FILE.safetensors the weights, of the article's network under PyTorch's names
and in its layout; --dtype float16 or bfloat16 rounds them.

--npz FILE.npz what the network says of --split: logits, features (the means of the layer
that is explained), labels and classes; with --images and --activations these too.`,
		Example: `  camlab export --onnx article.onnx --safetensors article.safetensors
  camlab export --model out/train --safetensors half.safetensors --dtype float16
  camlab export --npz sample.npz --split sample --layer conv4`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := c.Flags()
	o.model.add(f)
	f.StringVar(&o.onnx, "onnx", "", "ONNX file to write, and its card")
	f.StringVar(&o.safetensors, "safetensors", "", "file of weights to write")
	f.StringVar(&o.dtype, "dtype", "float32", "of the weights in --safetensors: float32, float16 or bfloat16")
	f.StringVar(&o.npz, "npz", "", "NumPy archive of logits, features and labels to write")
	f.StringVar(&o.split, "split", "test", "images for --npz: "+splitUsage)
	f.BoolVar(&o.images, "images", false, "put the images into --npz")
	f.BoolVar(&o.activations, "activations", false, "put the activations of the explained layer into --npz: 128 KiB an image of the article's network")
	f.StringVar(&o.data, "data", "", dataUsage)
	f.StringVar(&o.backend, "backend", "", backendUsage)
	f.BoolVar(&o.asJSON, "json", false, jsonUsage)
	return c
}

// check returns an error if the flags do not go together.
func (o *exportFlags) check(cmd *cobra.Command) error {
	if o.onnx == "" && o.safetensors == "" && o.npz == "" {
		return errors.New("export: nothing to write, want --onnx, --safetensors or --npz with a file's name")
	}
	for flag, file := range map[string]string{"onnx": o.onnx, "safetensors": o.safetensors, "npz": o.npz} {
		if file != "" && !strings.EqualFold(filepath.Ext(file), "."+flag) {
			return fmt.Errorf("export: --%s %s, want a name that ends in .%[1]s", flag, file)
		}
	}
	if _, ok := floats[o.dtype]; !ok {
		return fmt.Errorf("export: --dtype %q, want float32, float16 or bfloat16", o.dtype)
	}
	for _, of := range []struct{ flag, needs, file string }{
		{"dtype", "safetensors", o.safetensors}, {"split", "npz", o.npz}, {"images", "npz", o.npz}, {"activations", "npz", o.npz}, {"data", "npz", o.npz},
	} {
		if cmd.Flags().Changed(of.flag) && of.file == "" {
			return fmt.Errorf("export: --%s without --%s, which it belongs to", of.flag, of.needs)
		}
	}
	return nil
}

func (o *exportFlags) run(cmd *cobra.Command) error {
	if err := o.check(cmd); err != nil {
		return err
	}
	open := opener(cmd, o.backend)
	m, err := o.model.open(false, open)
	if err != nil {
		return err
	}
	var ds *cifar10.Dataset
	if o.npz != "" { // before anything is written
		if ds, err = openSplit(cmd.Context(), o.split, o.data); err != nil {
			return err
		}
		if err := m.takes(ds, false); err != nil {
			return fmt.Errorf("export: --npz: %w", err)
		}
	}
	whole := &camlib.Model{Network: m.net, Card: m.expects}
	var all []exported
	for _, part := range []struct {
		file, what string
		write      func(file string) error
	}{
		{o.npz, "logits, features and labels of " + o.split, func(file string) error {
			if whole.Backend, err = open(); err != nil {
				return err
			}
			return whole.WriteNPZ(cmd.Context(), file, ds, camlib.NPZ{Images: o.images, Activations: o.activations})
		}},
		{o.safetensors, "weights, " + o.dtype, func(file string) error { return m.net.SaveAs(file, floats[o.dtype]) }},
		{o.onnx, fmt.Sprintf("ONNX, explained at %s; its card is %s", m.net.ExplainedLayer(), card.Path(o.onnx)), whole.WriteONNX},
	} {
		if part.file == "" {
			continue
		}
		if err := part.write(part.file); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		sum, err := sumOf(part.file)
		if err != nil {
			return err
		}
		all = append(all, exported{part.file, part.what, sum})
	}
	if o.asJSON {
		return printJSON(cmd.OutOrStdout(), all)
	}
	for _, e := range all {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", e.File, e.What)
	}
	return nil
}
