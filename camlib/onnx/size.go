package onnx

import "github.com/camlab-go/camlab/camlib/images"

// ImageInput returns what a model's file says of the images that it takes: their layout,
// which is a guess, and their size, of which 0 is any. Of a model that takes no images it is
// zero; [Model.Network] says what is wrong with it.
func (m *Model) ImageInput() (images.Layout, images.Size) {
	inputs := m.Inputs()
	if len(inputs) != 1 || len(inputs[0].Dims) != 4 {
		return images.NCHW, images.Size{}
	}
	d := inputs[0].Dims
	if inputs[0].Layout == images.NHWC.String() {
		return images.NHWC, images.Size{Height: d[1], Width: d[2], Channels: d[3]}
	}
	return images.NCHW, images.Size{Height: d[2], Width: d[3], Channels: d[1]}
}
