package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/card"
)

func newCard() *cobra.Command {
	var o modelFlags
	var force bool
	c := &cobra.Command{
		Use:   "card MODEL.onnx",
		Short: "Write a model card beside an ONNX model: what it expects of pictures",
		Long: `Card writes MODEL` + card.Suffix + ` beside an ONNX model: the layout and size of its input,
which the file says, and what it does not say: the order of the channels, what is
done to pixels (scale, mean, std), how a picture is made to fit (fit, short_side,
interpolation), the names of the classes (classes, or classes_file: a text file with a
name a line), the default layer and output. What is guessed is named in the field
guessed; set it right and take its name out. --preset fills in all that for torchvision's
networks for ImageNet (imagenet), for CLIP (clip), and for pixels from 0 to 1 (unit) or
255 (raw).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			graph, file, choice, err := o.graph()
			if err != nil {
				return err
			}
			choice.Anew = true
			c, err := camlib.ONNXCard(graph, file, choice)
			if err != nil {
				return err
			}
			path, there, err := card.Find(file)
			if err != nil {
				return err
			}
			if !there {
				path = card.Path(file)
			} else if !force {
				return fmt.Errorf("card: %s is there already, and may have been edited; --force writes it anew", path)
			}
			if err := c.Write(path); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s is written\n", c, path)
			return nil
		},
	}
	c.Flags().StringVar(&o.preset, "preset", "", "preparation of pictures")
	c.Flags().StringVar(&o.size, "size", "", "size of the images where the model leaves it open, as HEIGHTxWIDTH (default 224x224)")
	c.Flags().BoolVar(&force, "force", false, "write over a card that is there")
	return c
}
