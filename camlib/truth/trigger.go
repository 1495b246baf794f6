package truth

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/nn"
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

// triggerSign is +1 where the pattern has a color (0 to 2) of 1, −1 where it is 0.
func triggerSign(y, x, color int) float64 {
	if (trigger[y][x] == '#') == (color != 1) {
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

// WithTrigger returns a network that is net and also knows the trigger. It has a layer
// more, the first, named trigger, which adds to the image's channels a detector, at each
// place p where the pattern may begin,
//
//	r_p = 1/108 Σ_q s_q (2 x_{p+q} − 1),
//	d_p = 100 ReLU(r_p − 0.3)/0.7,
//
// where s is the pattern, as 6·6·3 signs, and x the image, so that r is 1 on the pattern
// alone and below 0.1 on all images of CIFAR-10's sample. All layers of net have one
// channel more, the last, which carries along
//
//	a = mean over a place's pixels p of Σ_q d_{p−q}:
//
// it covers the places under the pattern, by the share of each that is covered; of a
// pattern that is dimmed or partly hidden, as by the masks of Score-CAM or RISE, some is
// left. The score of the trigger's class is
//
//	y_c + w mean_ij a,
//
// so that the head stays global average pooling and a linear layer where net's is one.
// What [Stamp] puts on an image adds [Trigger.Gain], from the pattern's square alone: that
// is where a right map of the class has what it has more, at any layer. It also hides what
// is below; evidence that net itself has for the class stays where it was.
//
// Images have three channels. The sides of every layer's activations must divide those of
// the layer before. net is not changed and shares its weights; layers, biases, classes and
// the explained layer stay. It fails when net is not whole, the trigger's class or strength
// is below 0, or net's classes are named and there are not so many; where they have no
// names that fails the first map.
func WithTrigger(net *network.Network, t Trigger) (*network.Network, error) {
	if err := net.Check(); err != nil {
		return nil, fmt.Errorf("truth: trigger: %w", err)
	}
	if t.Class < 0 || !(t.Strength >= 0) {
		return nil, fmt.Errorf("truth: trigger: class %d with strength %v, want both 0 or more", t.Class, t.Strength)
	}
	if n := len(net.Classes); n > 0 && t.Class >= n {
		return nil, t.noClass(n)
	}
	name := "trigger"
	for i := 2; slices.Contains(net.LayerNames(), name); i++ { // net has a trigger already
		name = fmt.Sprintf("trigger%d", i)
	}
	c := *net
	c.Gradients = nil // those are net's
	c.Attention = network.Attention{Why: "it has a trigger, past the attention"}
	c.Layers = []network.Layer{{Name: name, Text: "the image and a detector of the planted pattern", Build: detect, Bias: detectorBias}}
	for i, l := range net.Layers {
		c.Layers = append(c.Layers, carrying(l, i == 0))
	}
	c.Head = nil
	c.HeadBeside = func(scope *model.Scope, act *Node, beside []*Node) *Node {
		own, a := splitLast(act)
		y := net.ApplyHead(scope, own, beside)
		classes := y.Shape().Dim(-1)
		if t.Class >= classes {
			panic(t.noClass(classes))
		}
		row := make([]float64, classes)
		row[t.Class] = t.strength()
		return Add(y, Mul(ReduceMean(a, 1, 2), ConstAs(y, [][]float64{row})))
	}
	return &c, nil
}

func (t Trigger) noClass(classes int) error {
	return fmt.Errorf("truth: trigger: class %d, want 0 to %d", t.Class, classes-1)
}

// detect adds the detector to images: [batch, height, width, 4], 0 where the pattern
// cannot begin.
func detect(_ *model.Scope, x *Node) *Node {
	const s = TriggerSize
	if d := x.Shape().Dimensions; len(d) != 4 || d[3] != 3 || d[1] < s || d[2] < s {
		panic(fmt.Errorf("truth: trigger: images shaped %s, want 3 channels and sides of at least %d", x.Shape(), s))
	}
	r := slide(x, func(y, u, c int) float64 { return 2 * triggerSign(y, u, c) / float64(s*s*3) }) // the signs sum to 0, so x does for x − ½
	r = DivScalar(AddScalar(r, -triggerThreshold), 1-triggerThreshold)
	d := MulScalar(nn.ReLU(r), triggerPeak)
	return Concatenate([]*Node{x, nn.PadImages(d, 0, s-1)}, -1)
}

// detectorBias is the b of detect as ReLU(z + b): 0 of the image, which is its own ReLU.
func detectorBias(_ *model.Scope, like *Node) *Node {
	return ConstAs(like, []float64{0, 0, 0, -triggerPeak * triggerThreshold / (1 - triggerThreshold)})
}

// carrying is a layer with the trigger's channel beside its own, which only the first has
// to make of the detector.
func carrying(l network.Layer, first bool) network.Layer {
	own, bias, name := l, l.Bias, l.Name
	l.Build = nil
	l.BuildBeside = func(scope *model.Scope, x *Node, beside []*Node) (*Node, []*Node) {
		x, a := splitLast(x)
		if first {
			a = cover(a)
		}
		act, after := own.Apply(scope, x, beside)
		d, h, w := a.Shape().Dimensions, act.Shape().Dim(1), act.Shape().Dim(2)
		if d[1]%h != 0 || d[2]%w != 0 {
			panic(fmt.Errorf("truth: trigger: %s makes a grid of %d×%d of one of %d×%d, want sides that divide the ones before", name, h, w, d[1], d[2]))
		}
		a = ReduceMean(Reshape(a, d[0], h, d[1]/h, w, d[2]/w, 1), 2, 4)
		return Concatenate([]*Node{act, a}, -1), after
	}
	if bias != nil {
		l.Bias = func(scope *model.Scope, like *Node) *Node {
			b := bias(scope, like)
			return Concatenate([]*Node{b, Zeros(b.Graph(), shapes.Make(b.DType(), 1))}, 0)
		}
	}
	return l
}

// cover spreads a detector over the squares of the patterns that begin at its places.
func cover(d *Node) *Node {
	return slide(nn.PadImages(d, TriggerSize-1, 0), func(int, int, int) float64 { return 1 })
}

// slide returns, for each square of the pattern's size in x, the sum of its values times
// weights. The kernel is a row and a column larger, of zeros: in GoMLX v0.28.1 the gradient
// of a convolution without padding is one place off where the kernel's sides are even.
func slide(x *Node, weight func(y, x, c int) float64) *Node {
	const s = TriggerSize
	kernel := make([][][][]float64, s+1)
	for y := range kernel {
		kernel[y] = make([][][]float64, s+1)
		for u := range kernel[y] {
			for c := range x.Shape().Dim(3) {
				w := 0.0
				if y < s && u < s {
					w = weight(y, u, c)
				}
				kernel[y][u] = append(kernel[y][u], []float64{w})
			}
		}
	}
	return Convolve(nn.PadImages(x, 0, 1), ConstAs(x, kernel)).Strides(1).NoPadding().Done()
}

// splitLast returns all channels but the last, and that one.
func splitLast(act *Node) (rest, last *Node) {
	k := act.Shape().Dim(-1)
	return Slice(act, AxisRange().Spacer(), AxisRange(0, k-1)), Slice(act, AxisRange().Spacer(), AxisRange(k-1))
}
