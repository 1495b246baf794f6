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
// are added to the originals, three images of each in an epoch. All others have one image of
// each. FlipCrop flips an image in every second epoch, at random whether in the first (Jordan
// 2024, arXiv:2404.00498, section 3.6), and crops it. Cutout does the same and makes a square,
// half as high as the image, gray, which may lie partly outside (DeVries & Taylor 2017,
// arXiv:1708.04552). Mixup takes λ of a flipped and cropped image and 1 − λ of another, and of
// their labels, λ uniform from 0 to 1 (Zhang et al. 2017, arXiv:1710.09412, α = 1). None
// leaves the images alone.
const (
	Article  Augmentation = "article"
	FlipCrop Augmentation = "flipcrop"
	Cutout   Augmentation = "cutout"
	Mixup    Augmentation = "mixup"
	None     Augmentation = "none"
)

// ParseAugmentation returns the augmentation of that name.
func ParseAugmentation(name string) (Augmentation, error) {
	switch a := Augmentation(name); a {
	case Article, FlipCrop, Cutout, Mixup, None:
		return a, nil
	}
	return "", fmt.Errorf("train: augmentation %q, want %s, %s, %s, %s or %s", name, Article, FlipCrop, Cutout, Mixup, None)
}

// copies is how many images of each an epoch has.
func (a Augmentation) copies() int {
	if a == Article {
		return 3
	}
	return 1
}

// margin is how far a crop may move at most: each image is padded by it and cut back
// to its size.
const margin = 4

// picks is a list of augmented images, a row of numbers each. The first four are the position
// in the data set, 1 to flip it or 0, and the row and column where its crop starts in the
// padded image, 0 to 2·margin; margin leaves it in place. Cutout has two more, the row and
// column of the square's center; Mixup five, the first four of the other image and λ in
// parts of one.
type picks []int32

// one is what a λ of 1 is in picks.
const one = 1 << 16

// width is how many numbers an image has in picks.
func (a Augmentation) width() int {
	switch a {
	case Cutout:
		return 6
	case Mixup:
		return 9
	}
	return 4
}

// tensor is picks as [n, width].
func (a Augmentation) tensor(p picks) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions([]int32(p), len(p)/a.width(), a.width())
}

// epochPicks returns one epoch's images in their order, of images of a size, with crops that
// move by shift at most. It depends on its arguments alone, so that a training can resume at
// any step.
func (a Augmentation) epochPicks(n int, size images.Size, shift int, seed int64, epoch int) picks {
	rng := rand.New(rand.NewPCG(uint64(seed), uint64(epoch)))
	crop := func() int32 { return int32(margin-shift) + rng.Int32N(int32(2*shift+1)) }
	copies := a.copies()
	flips := make([]int32, n) // of the first epoch
	if a != Article && a != None {
		rng := rand.New(rand.NewPCG(uint64(seed), 0x666c6970)) // the second word spells "flip"
		for i := range flips {
			flips[i] = rng.Int32N(2)
		}
	}
	flipCrop := func(k int) []int32 { return []int32{int32(k), flips[k] ^ int32(epoch&1), crop(), crop()} }
	p := make(picks, 0, a.width()*copies*n)
	for _, k := range rng.Perm(copies * n) {
		switch {
		case a == FlipCrop:
			p = append(p, flipCrop(k)...)
		case a == Cutout:
			p = append(append(p, flipCrop(k)...), rng.Int32N(int32(size.Height)), rng.Int32N(int32(size.Width)))
		case a == Mixup:
			p = append(append(append(p, flipCrop(k)...), flipCrop(rng.IntN(n))...), rng.Int32N(one+1))
		case k/n == 1: // the flipped copies
			p = append(p, int32(k%n), 1, margin, margin)
		case k/n == 2: // the cropped copies
			p = append(p, int32(k%n), 0, crop(), crop())
		default:
			p = append(p, int32(k%n), 0, margin, margin)
		}
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
// graph. Of an image mixed of two it has the label of the first.
func Augment(backend compute.Backend, ds images.Dataset, a Augmentation, seed int64, epoch, n int) (images.Dataset, error) {
	fail := func(err error) (images.Dataset, error) { return nil, fmt.Errorf("train: augment: %w", err) }
	if err := images.CheckDataset(ds); err != nil {
		return fail(err)
	}
	if _, err := ParseAugmentation(string(a)); err != nil {
		return nil, err
	}
	order := a.epochPicks(ds.Len(), ds.Size(), margin, seed, epoch)
	if n < 1 || a.width()*n > len(order) {
		return fail(fmt.Errorf("%d images, want 1 to the %d of an epoch", n, len(order)/a.width()))
	}
	graph, err := exec.New(backend, model.NewStore(), func(_ *model.Scope, in []*Node) exec.Outputs {
		x, label, _, _ := a.pick(in[0], in[1], in[2])
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
	out, err := graph.Call(pixels, labels, a.tensor(order[:a.width()*n]))
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
// [N, h, w, c], labels, [N], and picks, [n, width]. The images are float32, from 0 to 1,
// [n, h, w, c]. Mixup also has the other images' labels and λ, float32 [n]; nil else.
func (a Augmentation) pick(pixels, labels, picks *Node) (x, label, other, lambda *Node) {
	x, label = pickFlipCrop(pixels, labels, Slice(picks, AxisRange(), AxisRange(0, 4)))
	column := func(i int) *Node { return Slice(picks, AxisRange(), AxisElem(i)) }
	switch a {
	case Cutout:
		x = cutout(x, column(4), column(5))
	case Mixup:
		var y *Node
		y, other = pickFlipCrop(pixels, labels, Slice(picks, AxisRange(), AxisRange(4, 8)))
		lambda = DivScalar(ConvertDType(Reshape(column(8), -1), dtypes.Float32), one)
		l := Reshape(lambda, -1, 1, 1, 1)
		x = Add(Mul(x, l), Mul(y, OneMinus(l)))
	}
	return x, label, other, lambda
}

// cutout makes a square of images gray, around centers, rows and columns [n, 1].
func cutout(x, row, col *Node) *Node {
	d, side := x.Shape().Dimensions, x.Shape().Dim(1)/2
	inside := func(axis int, center *Node) *Node { // [n, size of the axis]
		at := Iota(x.Graph(), shapes.Make(dtypes.Int32, d[0], d[axis]), 1)
		offset := AddScalar(Sub(at, center), side/2)
		return LogicalAnd(GreaterOrEqual(offset, ZerosLike(offset)), LessThan(offset, AddScalar(ZerosLike(offset), side)))
	}
	rows, cols := Reshape(inside(1, row), d[0], d[1], 1, 1), Reshape(inside(2, col), d[0], 1, d[2], 1)
	square := LogicalAnd(BroadcastToDims(rows, d...), BroadcastToDims(cols, d...))
	return Where(square, AddScalar(ZerosLike(x), 0.5), x)
}

// pickFlipCrop is pick of the first four numbers of picks. A crop is black outside.
func pickFlipCrop(pixels, labels, picks *Node) (x, label *Node) {
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
