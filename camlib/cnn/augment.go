package cnn

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/compiled"
	"github.com/camlab-go/camlab/internal/rim"
)

// Augmentation says what an epoch's images are.
type Augmentation string

// The augmentations. Article is the article's: the flipped and the cropped
// images are added to the originals, three images of each in an epoch.
// FlipCrop flips each image with probability 1/2 and crops it, one image of
// each in an epoch. None leaves the images alone.
const (
	Article  Augmentation = "article"
	FlipCrop Augmentation = "flipcrop"
	None     Augmentation = "none"
)

// ParseAugmentation returns the augmentation of that name.
func ParseAugmentation(name string) (Augmentation, error) {
	switch a := Augmentation(name); a {
	case Article, FlipCrop, None:
		return a, nil
	}
	return "", fmt.Errorf("cnn: augmentation %q, want %s, %s or %s", name, Article, FlipCrop, None)
}

// copies is how many images of each an epoch has.
func (a Augmentation) copies() int {
	if a == Article {
		return 3
	}
	return 1
}

// margin is how far a crop may move: each image is padded by it and cut back
// to its size.
const margin = 4

// picks is a list of augmented images, [n, 4]: for each the position in the
// data set, 1 to flip it or 0, and the row and column where its crop starts in
// the padded image, 0 to 2·margin; margin leaves it in place.
type picks []int32

func (p picks) tensor() *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions([]int32(p), len(p)/4, 4)
}

// epochPicks returns one epoch's images in their order. It depends on its
// arguments alone, so that a training can resume at any step.
func (a Augmentation) epochPicks(images int, seed int64, epoch int) picks {
	rng := rand.New(rand.NewPCG(uint64(seed), uint64(epoch)))
	crop := func() int32 { return rng.Int32N(2*margin + 1) }
	copies := a.copies()
	p := make(picks, 0, 4*copies*images)
	for _, k := range rng.Perm(copies * images) {
		position, flip, row, col := int32(k%images), int32(0), int32(margin), int32(margin)
		switch {
		case a == FlipCrop:
			flip, row, col = rng.Int32N(2), crop(), crop()
		case k/images == 1: // the flipped copies
			flip = 1
		case k/images == 2: // the cropped copies
			row, col = crop(), crop()
		}
		p = append(p, position, flip, row, col)
	}
	return p
}

// Augment returns the first n images of an epoch as [Train] sees them, made by
// the same graph.
func Augment(backend compute.Backend, ds *cifar10.Dataset, a Augmentation, seed int64, epoch, n int) (*cifar10.Dataset, error) {
	order := a.epochPicks(ds.Len(), seed, epoch)
	if n < 1 || 4*n > len(order) {
		return nil, fmt.Errorf("cnn: augment: %d images, want 1 to the %d of an epoch", n, len(order)/4)
	}
	exec, err := NewExec(backend, func(pixels, labels, picks *Node) (x, label *Node) {
		x, label = pick(pixels, labels, picks)
		return ConvertDType(Round(MulScalar(x, 255)), dtypes.Uint8), label
	})
	if err != nil {
		return nil, fmt.Errorf("cnn: augment: %w", err)
	}
	out, err := compiled.Call(exec.Call,
		tensors.FromFlatDataAndDimensions(ds.Pixels, ds.Len(), cifar10.Height, cifar10.Width, cifar10.Channels),
		tensors.FromFlatDataAndDimensions(ds.Labels, ds.Len()),
		order[:4*n].tensor())
	if err != nil {
		return nil, fmt.Errorf("cnn: augment: %w", err)
	}
	result := &cifar10.Dataset{Split: ds.Split}
	for i := range n {
		result.Index = append(result.Index, ds.Index[order[4*i]])
	}
	if result.Pixels, err = compiled.Take[uint8](out[0]); err != nil {
		return nil, fmt.Errorf("cnn: augment: %w", err)
	}
	if result.Labels, err = compiled.Take[uint8](out[1]); err != nil {
		return nil, fmt.Errorf("cnn: augment: %w", err)
	}
	return result, nil
}

// pick builds the images and labels of a batch from the whole data set:
// pixels [N, 32, 32, 3] and labels [N], both uint8, and picks [n, 4]. The
// images are float32, from 0 to 1, [n, 32, 32, 3]; a crop is black outside.
func pick(pixels, labels, picks *Node) (x, label *Node) {
	g := picks.Graph()
	n := picks.Shape().Dim(0)
	position := Slice(picks, AxisRange(), AxisRange(0, 1))
	x = Gather(pixels, position)
	label = Gather(labels, position)

	flip := Reshape(Slice(picks, AxisRange(), AxisRange(1, 2)), n, 1, 1, 1)
	x = Where(BroadcastToShape(GreaterThan(flip, ZerosLike(flip)), shapes.Make(dtypes.Bool, x.Shape().Dimensions...)), mirrored(x), x)

	x = rim.Add(x, margin)
	image := Iota(g, shapes.Make(dtypes.Int32, n, 1), 0)
	start := Concatenate([]*Node{image, Slice(picks, AxisRange(), AxisRange(2, 4))}, 1)
	x = GatherSlices(x, []int{0, 1, 2}, start, []int{1, cifar10.Height, cifar10.Width}, true)
	x = Reshape(x, n, cifar10.Height, cifar10.Width, cifar10.Channels)
	return scaled(x), label
}

// mirrored exchanges left and right.
func mirrored(x *Node) *Node {
	if !isGo(x.Graph().Backend()) {
		return Reverse(x, 2)
	}
	var columns []*Node
	for j := x.Shape().Dim(2) - 1; j >= 0; j-- {
		columns = append(columns, Slice(x, AxisRange(), AxisRange(), AxisRange(j, j+1)))
	}
	return Concatenate(columns, 2)
}

// scaled turns bytes into numbers from 0 to 1.
func scaled(pixels *Node) *Node {
	return DivScalar(ConvertDType(pixels, dtypes.Float32), 255)
}
