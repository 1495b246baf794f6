package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/onnx"
)

func newLayers() *cobra.Command {
	var o modelFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "layers MODEL.onnx",
		Short: "List the layers of an ONNX model that can be explained",
		Long: `Layers lists the tensors of an ONNX model that have several places, from the image
on: --layer takes their names, their names in the file, or their numbers, or the name
of a module for what it gives. Depth is the longest way from the image, in operators;
beside, how many other tensors pass beside the layer, where the network has branches.
The default is marked with >. A tensor after which only an activation function or a
normalization comes is not listed, but what comes out of that.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			layers, err := o.layers()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), layers)
			}
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, " \tnumber\tname\toperator\theight×width×channels\tdepth\tbeside\tin the file")
			why := ""
			for i, l := range layers {
				mark := ""
				if l.Default {
					mark, why = ">", l.Why
				}
				fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%d×%d×%d\t%d\t%d\t%s\n", mark, i, l.Name, l.Operator, l.Shape[0], l.Shape[1], l.Shape[2], l.Depth, l.Beside, l.Tensor)
			}
			if err := t.Flush(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "> is the default: %s\n", why)
			return err
		},
	}
	o.addONNX(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}

// layers returns the layers of an ONNX model.
func (o *modelFlags) layers() ([]onnx.Layer, error) {
	graph, file, choice, err := o.graph()
	if err != nil {
		return nil, err
	}
	c, err := camlib.ONNXCard(graph, file, choice)
	if err != nil {
		return nil, err
	}
	return graph.Layers(c.Size(), cmp.Or(o.output, c.Output))
}
