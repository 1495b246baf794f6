package train

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/nn"
)

// Augmentation says what an epoch's images are.
type Augmentation string

// The augmentations. Article is that of the article: the flipped and the cropped images
// are added to the originals, three images of each in an epoch. FlipCrop flips each image
// with probability 1/2 and crops it, one image of each in an epoch. None leaves the images
// alone.
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
	return "", fmt.Errorf("train: augmentation %q, want %s, %s or %s", name, Article, FlipCrop, None)
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

// data is a data set as tensors: pixels, uint8 [n, height, width, channels], and labels,
// int32 [n].
func data(ds images.Dataset) (pixels, labels *tensors.Tensor, err error) {
	bytes, err := images.Pixels(ds)
	if err != nil {
		return nil, nil, err
	}
	pixels, labels = dataOf(ds, bytes)
	return pixels, labels, nil
}

// dataOf is data of a data set whose pixels are read already.
func dataOf(ds images.Dataset, bytes []uint8) (pixels, labels *tensors.Tensor) {
	n, size := ds.Len(), ds.Size()
	classes := make([]int32, n)
	for i := range classes {
		classes[i] = int32(ds.Label(i))
	}
	return tensors.FromFlatDataAndDimensions(bytes, n, size.Height, size.Width, size.Channels),
		tensors.FromFlatDataAndDimensions(classes, n)
}

// Augment returns the first n images of an epoch as [Train] sees them, made by the same
// graph.
func Augment(backend compute.Backend, ds images.Dataset, a Augmentation, seed int64, epoch, n int) (images.Dataset, error) {
	fail := func(err error) (images.Dataset, error) { return nil, fmt.Errorf("train: augment: %w", err) }
	if err := images.CheckDataset(ds); err != nil {
		return fail(err)
	}
	order := a.epochPicks(ds.Len(), seed, epoch)
	if n < 1 || 4*n > len(order) {
		return fail(fmt.Errorf("%d images, want 1 to the %d of an epoch", n, len(order)/4))
	}
	graph, err := exec.New(backend, model.NewStore(), func(_ *model.Scope, in []*Node) exec.Outputs {
		x, label := pick(in[0], in[1], in[2])
		return exec.Outputs{"pixels": ConvertDType(Round(MulScalar(x, 255)), dtypes.Uint8), "labels": label}
	})
	if err != nil {
		return fail(err)
	}
	defer graph.Finalize()
	pixels, labels, err := data(ds)
	if err != nil {
		return fail(err)
	}
	out, err := graph.Call(pixels, labels, order[:4*n].tensor())
	if err != nil {
		return fail(err)
	}
	var bytes []uint8
	var classes []int32
	if err := out.Read(map[string]any{"pixels": &bytes, "labels": &classes}); err != nil {
		return fail(err)
	}
	all := make([]int, n)
	for i, c := range classes {
		all[i] = int(c)
	}
	return images.NewMemory(ds.Size(), ds.Classes(), bytes, all)
}

// pick builds the images and labels of a batch from the whole data set: pixels, uint8
// [N, h, w, c], labels, [N], and picks, [n, 4]. The images are float32, from 0 to 1,
// [n, h, w, c]; a crop is black outside.
func pick(pixels, labels, picks *Node) (x, label *Node) {
	g := picks.Graph()
	n, size := picks.Shape().Dim(0), pixels.Shape().Dimensions[1:]
	position := Slice(picks, AxisRange(), AxisRange(0, 1))
	x = Gather(pixels, position)
	label = Gather(labels, position)

	flip := Reshape(Slice(picks, AxisRange(), AxisRange(1, 2)), n, 1, 1, 1)
	x = Where(BroadcastToShape(GreaterThan(flip, ZerosLike(flip)), shapes.Make(dtypes.Bool, x.Shape().Dimensions...)), Reverse(x, 2), x)

	x = nn.PadSides(x, margin)
	image := Iota(g, shapes.Make(dtypes.Int32, n, 1), 0)
	start := Concatenate([]*Node{image, Slice(picks, AxisRange(), AxisRange(2, 4))}, 1)
	x = GatherSlices(x, []int{0, 1, 2}, start, []int{1, size[0], size[1]}, true)
	return nn.FromBytes(Reshape(x, n, size[0], size[1], size[2])), label
}
