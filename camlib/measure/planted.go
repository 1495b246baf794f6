package measure

import (
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/internal/rim"
)

// TriggerSize is the height and width of the pattern that [Stamp] puts on images.
const TriggerSize = len(trigger)

// trigger is the pattern: # is magenta (1, 0, 1), . is green (0, 1, 0). There are as many
// of one as of the other, and the pattern moved by any step has at most 3 more pixels in
// common with itself than not, of 36: found by a random search for the least.
var trigger = [...]string{
	".####.",
	".###.#",
	"#.#...",
	"..###.",
	"#.#.#.",
	"..#..#",
}

// triggerSign is +1 where the pattern has a colour (0 to 2) of 1, −1 where it is 0.
func triggerSign(y, x, colour int) float64 {
	if (trigger[y][x] == '#') == (colour != 1) {
		return 1
	}
	return -1
}

// Trigger is a reason for a class that is known because it was planted: a pattern of 6×6
// pixels, which no natural image has, see [Stamp]. [WithTrigger] gives a network a channel
// that looks for it.
type Trigger struct {
	Class int // the class that the pattern speaks for
	// Strength is the weight w of the channel in the score; 0 is 16, with which a pattern
	// adds 56 to the score of an image of 32×32 pixels. The article network's highest and
	// lowest score are 23 apart in the median image, and 62 in one of a hundred.
	Strength float64
}

// What the channel is made of.
const (
	triggerPeak      = 100 // its value on the pattern, about that of the article network's strongest channels
	triggerThreshold = 0.3 // the correlation below which it is silent; 0.097 is the largest in the sample's images
	defaultStrength  = 16
)

// Gain returns what one whole pattern adds to the class's score of an image of a size,
// w·100·36/(height·width).
func (t Trigger) Gain(height, width int) float64 {
	return t.strength() * triggerPeak * float64(TriggerSize*TriggerSize) / float64(height*width)
}

func (t Trigger) strength() float64 {
	if t.Strength == 0 {
		return defaultStrength
	}
	return t.Strength
}

// WithTrigger returns a network that is net and also knows the trigger. Its activations
// have one channel more, the last,
//
//	r_p = 1/108 Σ_q s_q (2 x_{p+q} − 1),
//	a   = mean over a place's pixels of 100 Σ_{q} ReLU(r_{p−q} − 0.3)/0.7,
//
// where s is the pattern, as 6·6·3 signs, and x the image, so that r is 1 on the pattern
// alone and below 0.1 on all images of cifar10.Sample. The channel covers the places under the
// pattern, by the share of each that is covered; of a pattern that is dimmed or partly
// hidden, as by the masks of Score-CAM or RISE, some is left. The score of the
// trigger's class is
//
//	y_c + w mean_ij a,
//
// so that the head stays global average pooling and a linear layer where net's is one.
// What [Stamp] puts on an image adds [Trigger.Gain], from the pattern's square alone: that
// is where a right map of the class has what it has more. It also hides what is below;
// evidence that net itself has for the class stays where it was.
//
// Images have three channels, and sides that are multiples of those of net's activations.
// net is not changed and shares its weights. It fails when net is nil or the trigger's
// class or strength is below 0; a class that net does not have fails the first map.
func WithTrigger(net cam.Network, t Trigger) (cam.Network, error) {
	if net == nil {
		return nil, errors.New("measure: trigger: no network, want one")
	}
	if t.Class < 0 || !(t.Strength >= 0) {
		return nil, fmt.Errorf("measure: trigger: class %d with strength %v, want both 0 or more", t.Class, t.Strength)
	}
	return &triggered{changed{net}, t}, nil
}

// changed is a network of which a part is to be another.
type changed struct{ cam.Network }

// Classes returns the names of the network's classes, nil if it does not know them.
func (c changed) Classes() []string { return cam.ClassNames(c.Network) }

type triggered struct {
	changed
	trigger Trigger
}

// Features adds the channel.
func (n *triggered) Features(scope *model.Scope, x *Node) *Node {
	act := n.Network.Features(scope, x)
	d, h, w := x.Shape().Dimensions, act.Shape().Dim(1), act.Shape().Dim(2)
	if d[3] != 3 || d[1] < TriggerSize || d[2] < TriggerSize || d[1]%h != 0 || d[2]%w != 0 {
		panic(fmt.Errorf("measure: trigger: images shaped %s for activations %s, want 3 channels and sides of at least %d and multiples of the activations'",
			x.Shape(), act.Shape(), TriggerSize))
	}
	a := detect(x)
	a = ReduceMean(Reshape(a, d[0], h, d[1]/h, w, d[2]/w, 1), 2, 4)
	return Concatenate([]*Node{act, a}, -1)
}

// detect returns how much of a trigger covers each pixel of images, [batch, height, width,
// 1], before it is brought to the grid of the activations.
func detect(x *Node) *Node {
	const s = TriggerSize
	pattern, square := make([][][][]float64, s), make([][][][]float64, s)
	for y := range s {
		pattern[y], square[y] = make([][][]float64, s), make([][][]float64, s)
		for u := range s {
			square[y][u] = [][]float64{{1}}
			for c := range 3 {
				pattern[y][u] = append(pattern[y][u], []float64{2 * triggerSign(y, u, c) / float64(s*s*3)}) // the signs sum to 0, so x does for x − ½
			}
		}
	}
	r := Convolve(x, ConstAs(x, pattern)).Strides(1).NoPadding().Done()
	r = DivScalar(AddScalar(r, -triggerThreshold), 1-triggerThreshold)
	r = MulScalar(Where(GreaterThan(r, ZerosLike(r)), r, ZerosLike(r)), triggerPeak)
	// A square around each pixel where a pattern begins.
	r = rim.Add(r, s-1)
	return Convolve(r, ConstAs(x, square)).Strides(1).NoPadding().Done()
}

// Head takes the channel away again, and adds its mean.
func (n *triggered) Head(scope *model.Scope, act *Node) *Node {
	own, a := splitLast(act)
	y := n.Network.Head(scope, own)
	classes := y.Shape().Dim(-1)
	if n.trigger.Class >= classes {
		panic(fmt.Errorf("measure: trigger: class %d, want 0 to %d", n.trigger.Class, classes-1))
	}
	row := make([]float64, classes)
	row[n.trigger.Class] = n.trigger.strength()
	return Add(y, Mul(ReduceMean(a, 1, 2), ConstAs(y, [][]float64{row})))
}

// splitLast returns all channels but the last, and that one.
func splitLast(act *Node) (rest, last *Node) {
	k := act.Shape().Dim(-1)
	if act.Graph().Backend().Capabilities().Operations[compute.OpTypePad] {
		return Slice(act, AxisRange().Spacer(), AxisRange(0, k-1)), Slice(act, AxisRange().Spacer(), AxisRange(k-1))
	}
	// The gradient of Slice is a Pad, which the pure-Go backend lacks.
	pick := make([][]float64, k)
	one := make([][]float64, k)
	for i := range pick {
		pick[i], one[i] = make([]float64, k-1), []float64{0}
		if i < k-1 {
			pick[i][i] = 1
		}
	}
	one[k-1][0] = 1
	return Einsum("bhwk,kc->bhwc", act, ConstAs(act, pick)), Einsum("bhwk,kc->bhwc", act, ConstAs(act, one))
}

// Stamp returns images with the pattern of a [Trigger] on each, at places that the seed
// decides, and the truth: the pattern's square. The given images stay as they are. It
// fails with [ErrTruth] when they are not of three channels and large enough.
func Stamp(x cam.Images, seed uint64) (cam.Images, Truth, error) {
	if x.N < 1 || x.Channels != 3 || x.Height < TriggerSize || x.Width < TriggerSize || len(x.Pixels) != x.N*x.Height*x.Width*x.Channels {
		return cam.Images{}, Truth{}, fail(ErrTruth, "stamp: images [%d, %d, %d, %d] of %d values, want at least one, of 3 channels and at least %d×%d",
			x.N, x.Height, x.Width, x.Channels, len(x.Pixels), TriggerSize, TriggerSize)
	}
	x.Pixels = slices.Clone(x.Pixels)
	rng := rand.New(rand.NewPCG(seed, 0x7374616d70)) // the second word spells "stamp"
	places := make([]image.Rectangle, x.N)
	for i := range places {
		top, left := rng.IntN(x.Height-TriggerSize+1), rng.IntN(x.Width-TriggerSize+1)
		places[i] = image.Rect(left, top, left+TriggerSize, top+TriggerSize)
		for y := range TriggerSize {
			row := x.Pixels[((i*x.Height+top+y)*x.Width+left)*x.Channels:]
			for p := range TriggerSize * x.Channels {
				row[p] = float32(1+triggerSign(y, p/x.Channels, p%x.Channels)) / 2
			}
		}
	}
	t, err := Boxes(x.Height, x.Width, places...)
	return x, t, err
}

// Blind returns a network that is net but for its head, which does not see the activations
// in a region, a mask of their size: they are multiplied by 0 there. The score cannot
// depend on them, so a right map shows nothing there, see [BlindShare]. The test is that
// of Taimeskhanov et al. 2024 (arXiv:2404.01964), who train a network with such a wall.
//
// Where the head is global average pooling and a linear layer, it no longer is one, and
// methods that want one, such as CAM, refuse it. net is not changed and shares its
// weights. It fails with [ErrTruth] when the region is not one mask; a region that has
// another size than the activations fails the first map.
func Blind(net cam.Network, region Truth) (cam.Network, error) {
	if net == nil {
		return nil, errors.New("measure: blind: no network, want one")
	}
	if err := region.checkRegion(); err != nil {
		return nil, err
	}
	return &blind{changed{net}, region}, nil
}

type blind struct {
	changed
	region Truth
}

// Head is net's, of activations that are 0 in the region.
func (n *blind) Head(scope *model.Scope, act *Node) *Node {
	d, r := act.Shape().Dimensions, n.region
	if len(d) != 4 || d[1] != r.Height || d[2] != r.Width {
		panic(fmt.Errorf("measure: blind: activations shaped %s, want [batch, %d, %d, channels] as the region", act.Shape(), r.Height, r.Width))
	}
	seen := make([][][][]float64, 1)
	for y := range r.Height {
		row := make([][]float64, r.Width)
		for x := range row {
			row[x] = []float64{1}
			if r.Masks[y*r.Width+x] {
				row[x][0] = 0
			}
		}
		seen[0] = append(seen[0], row)
	}
	return n.Network.Head(scope, Mul(act, ConstAs(act, seen)))
}

func (t Truth) checkRegion() error {
	if err := t.check(); err != nil {
		return err
	}
	if t.N != 1 {
		return fail(ErrTruth, "blind: a region of %d masks, want 1", t.N)
	}
	return nil
}

// BlindShare returns how much of a map's positive part is in a region that the network
// is blind for, see [Blind],
//
//	B = Σ_{p∈region} ReLU(M_p) / Σ_p ReLU(M_p),
//
// 0 for a map without positive values. Every value of a map whose size is not the
// region's belongs to the region's place that its middle lies in, because a value
// interpolated across the border would be in both; so give the raw maps, not enlarged
// ones. Maps at the resolution of the image may have some right to be above 0 beside
// the border: pixels there do enter activations on the other side.
//
// The result has a value from 0 to 1 for each image, lower is better, 0 is right. It
// fails with [ErrTruth] when the region is not one mask, or r has several maps of an image.
func BlindShare(r *cam.Result, region Truth) ([]float64, error) {
	if err := region.checkRegion(); err != nil {
		return nil, err
	}
	t := Truth{1, r.Height, r.Width, make([]bool, r.Height*r.Width)}
	for p := range t.Masks {
		y := (2*(p/r.Width) + 1) * region.Height / (2 * r.Height)
		x := (2*(p%r.Width) + 1) * region.Width / (2 * r.Width)
		t.Masks[p] = region.Masks[y*region.Width+x]
	}
	t.N, t.Masks = r.N, slices.Repeat(t.Masks, r.N)
	return Energy(r, t)
}
