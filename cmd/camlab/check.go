package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/npy"
)

// checked is what `camlab check --json` prints.
type checked struct {
	Model      string  `json:"model"`
	Backend    string  `json:"backend"`
	Images     int     `json:"images"`
	Classes    int     `json:"classes"`
	Largest    float64 `json:"largest"`              // of the scores, as an absolute value
	Difference float64 `json:"difference,omitempty"` // largest difference from --against, relative to Largest
	Compared   bool    `json:"compared"`
}

// tolerance is how far scores may be from others', relative to the largest: rounding
// of float32 through a hundred layers stays a hundred times below.
const tolerance = 1e-3

func newCheck() *cobra.Command {
	var o modelFlags
	var input, against, backendName string
	var asJSON bool
	c := &cobra.Command{
		Use:   "check MODEL.onnx",
		Short: "Run an ONNX model, and compare its scores with given ones",
		Long: `Check runs an ONNX model on the arrays of --input, as the graph takes them, or on one
random image, and says how large the scores are. With --against, a .npy file of the
scores that another program gives for the same input (before a softmax at the model's
end), it says how far they are apart, and fails above 0.001 of the largest. Compare
scores and not probabilities: a softmax hides differences. Test vectors that lie beside
the model (test_data_set_0/input_0.pb and output_0.pb) are compared in any case.`,
		Example: `  camlab check resnet50.onnx
  camlab check resnet50.onnx --input x.npy --against logits.npy`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			if against != "" && input == "" {
				return errors.New("check: --against without --input, want the array that the scores are of")
			}
			open := opener(cmd, backendName)
			if _, err := o.onlyONNX(); err != nil {
				return fmt.Errorf("check: %w", err)
			}
			m, err := o.open(true, open)
			if err != nil {
				return err
			}
			if err := m.net.Alone(); err != nil {
				m.notes = append(m.notes, err.Error())
			}
			for _, note := range m.notes {
				fmt.Fprintf(cmd.ErrOrStderr(), "check: %s: %s\n", o.name, note)
			}
			x := noise(m.net.Input.Size, true)
			if input != "" {
				if x, err = (images.ReadOptions{}).ReadNPY(input, m.layout, m.net.Input.Size); err != nil {
					return fmt.Errorf("check: --input: %w", err)
				}
			}
			backend, err := open()
			if err != nil {
				return err
			}
			e, err := cam.New(backend, m.net, cam.Options{})
			if err != nil {
				return err
			}
			r, err := e.Explain(context.WithoutCancel(cmd.Context()), cam.GradCAM{}, x, cam.Predicted)
			if err != nil {
				return err
			}
			out := checked{Model: o.name, Backend: camlib.Describe(backend), Images: r.N, Classes: r.NumClasses}
			for _, v := range r.Scores {
				out.Largest = math.Max(out.Largest, math.Abs(float64(v)))
			}
			if against != "" {
				if err := out.compare(r.Scores, against); err != nil {
					return err
				}
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), out); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "%s runs on %s: %d scores for each of %d images, the largest %.4g\n", filepath.Base(o.name), out.Backend, out.Classes, out.Images, out.Largest)
				if out.Compared {
					fmt.Fprintf(cmd.OutOrStdout(), "the largest difference from %s is %.2g of that\n", against, out.Difference)
				}
			}
			if out.Difference > tolerance {
				return fmt.Errorf("check: scores %.2g of the largest from those of %s, want at most %g", out.Difference, against, tolerance)
			}
			return nil
		},
	}
	o.addONNX(c.Flags())
	c.Flags().StringVar(&o.layer, "layer", "", "layer of the Grad-CAM that is made too")
	c.Flags().StringVar(&input, "input", "", ".npy file of images as the graph takes them")
	c.Flags().StringVar(&against, "against", "", ".npy file of the scores that they should have")
	c.Flags().StringVar(&backendName, "backend", "", backendUsage)
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}

// compare compares scores with those of a file.
func (c *checked) compare(scores []float32, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("check: --against: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("check: --against: %w", err)
	}
	r, err := npy.NewReader(f, info.Size())
	if err != nil {
		return fmt.Errorf("check: --against: %s: %w", file, err)
	}
	n := 1
	for _, d := range r.Shape {
		n *= d
	}
	if n != len(scores) {
		return fmt.Errorf("check: --against: %s: shape %v, want [%d, %d]", file, r.Shape, c.Images, c.Classes)
	}
	want := make([]float32, n)
	if err := r.Read(want); err != nil {
		return fmt.Errorf("check: --against: %s: %w", file, err)
	}
	largest := 0.0
	for i, v := range want {
		if v-v != 0 {
			return fmt.Errorf("check: --against: %s: value %d is %v, want finite scores", file, i, v)
		}
		largest = math.Max(largest, math.Abs(float64(v)))
	}
	c.Compared = true
	for i, v := range want {
		d := math.Abs(float64(v)-float64(scores[i])) / math.Max(largest, 1e-30)
		if !(d <= c.Difference) { // NaN is larger too
			c.Difference = d
		}
	}
	return nil
}
