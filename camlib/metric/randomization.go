package measure

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/internal/failure"
)

// Redraw says how a layer's parameters are drawn anew.
type Redraw int

// The ways to draw parameters anew.
const (
	Permute Redraw = iota // the parameters of each variable in another order
	Normal                // normal, with the mean and standard deviation of the variable
)

// Layers returns the names of a network's layers: the scopes of the trainable
// float32 variables of its store, in the order in which they were made. A variable
// in the root scope is a layer of its own name.
func Layers(net cam.Network) []string {
	var names []string
	for v := range net.Store().IterVariables() {
		if name, ok := layerOf(v); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// layerOf returns the layer of a variable, if it is a parameter.
func layerOf(v *model.Variable) (string, bool) {
	inside := strings.Trim(v.Scope(), model.ScopeSeparator)
	if v.DType() != dtypes.Float32 || !v.Trainable {
		return "", false
	}
	if inside == "" {
		return v.Name(), true
	}
	return inside, true
}

// Randomised returns a copy of a network, in a store of its own, in which the
// parameters of some layers, see [Layers], are drawn anew: the model-parameter
// randomisation of Adebayo et al. 2018 (arXiv:1810.03292). All layers
// from the last to one of them is the paper's cascading randomisation, one layer
// alone its independent one. Each variable is drawn from the seed and its own name,
// so that the copies of a cascade agree where they have layers in common. The
// network itself is not changed. It fails with [ErrLayer].
func Randomised(net cam.Network, how Redraw, seed uint64, layers ...string) (cam.Network, error) {
	known := Layers(net)
	for _, l := range layers {
		if !slices.Contains(known, l) {
			return nil, fail(ErrLayer, "randomised: layer %q, want some of %s", l, strings.Join(known, ", "))
		}
	}
	if how != Permute && how != Normal {
		return nil, fmt.Errorf("measure: randomised: redraw %d, want Permute or Normal", how)
	}
	store, err := net.Store().Clone()
	if err != nil {
		return nil, within(err, "randomised")
	}
	copied := &randomised{Network: net, store: store}
	for v := range store.IterVariables() {
		name, ok := layerOf(v)
		if !ok || !slices.Contains(layers, name) {
			continue
		}
		if err := redraw(v, how, rand.New(rand.NewPCG(seed, hash(v.Path())))); err != nil {
			return nil, within(err, "randomised: %s", v.Path())
		}
	}
	if layered, ok := net.(cam.Biased); ok {
		return &randomisedLayers{copied, layered}, nil
	}
	return copied, nil
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// redraw gives a variable other values.
func redraw(v *model.Variable, how Redraw, random *rand.Rand) error {
	t, err := v.Value()
	if err != nil {
		return err
	}
	values, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return err
	}
	if how == Permute {
		random.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	} else {
		mean, square := 0.0, 0.0
		for _, w := range values {
			mean += float64(w) / float64(len(values))
		}
		for _, w := range values {
			square += (float64(w) - mean) * (float64(w) - mean) / float64(len(values))
		}
		for i := range values {
			values[i] = float32(mean + random.NormFloat64()*math.Sqrt(square))
		}
	}
	return v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...))
}

// randomised is a network with other parameters.
type randomised struct {
	cam.Network
	store *model.Store
}

func (r *randomised) Store() *model.Store { return r.store }

// Classes returns the names of the classes, nil if the network does not know them.
func (r *randomised) Classes() []string { return cam.ClassNames(r.Network) }

// randomisedLayers is one whose layers can be explained. What they build takes the
// weights of the scope that it is given.
type randomisedLayers struct {
	*randomised
	of cam.Biased
}

func (r *randomisedLayers) Layers() []string { return r.of.Layers() }

func (r *randomisedLayers) Through(scope *model.Scope, from, to string, x *graph.Node) *graph.Node {
	return r.of.Through(scope, from, to, x)
}

func (r *randomisedLayers) Bias(scope *model.Scope, layer string, like *graph.Node) *graph.Node {
	return r.of.Bias(scope, layer, like)
}

// Degree is how alike maps are before and after a randomisation, one value per
// image.
type Degree struct {
	Layers         []string // those that were drawn anew
	Spearman, SSIM []float64
}

// ParameterRandomisation compares the maps with those of networks in which more and
// more is random: Adebayo et al. 2018 (arXiv:1810.03292). Step j has the
// first j + 1 of the layers drawn anew, so give them from the last to the first for
// the paper's cascading randomisation; with independent, it has layer j alone. nil
// is all layers from the last made to the first. A method whose maps stay alike does
// not show what the network has learned.
//
// It runs Explain once for each layer, on a network that has to be compiled for.
// It fails with [ErrLayer] and [ErrExplain].
func (c *Case) ParameterRandomisation(ctx context.Context, how Redraw, independent bool, layers ...string) ([]Degree, error) {
	if len(layers) == 0 {
		layers = Layers(c.meter.net)
		slices.Reverse(layers)
	}
	var out []Degree
	for j := range layers {
		some := layers[: j+1 : j+1]
		if independent {
			some = layers[j : j+1 : j+1]
		}
		d, err := c.randomise(ctx, how, some)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// Randomisation returns the absolute value of the Spearman rank correlation
// ([Spearman]) of each map with that of the network without anything learned: the
// parameters of all layers (or Options.RandomLayers) permuted within each variable,
// the last step of the cascade of Adebayo et al. 2018, see
// [Case.ParameterRandomisation]. One value per image, 0 to 1; lower is better. Absolute,
// since the opposite of a map shows the same places; chance leaves more than 0.
func (c *Case) Randomisation(ctx context.Context) ([]float64, error) {
	layers := c.meter.opts.RandomLayers
	if len(layers) == 0 {
		layers = Layers(c.meter.net)
	}
	d, err := c.randomise(ctx, Permute, layers)
	for i, v := range d.Spearman {
		d.Spearman[i] = math.Abs(v)
	}
	return d.Spearman, err
}

func (c *Case) randomise(ctx context.Context, how Redraw, layers []string) (Degree, error) {
	net, err := c.meter.redrawn(how, layers)
	if err != nil {
		return Degree{}, err
	}
	maps, err := c.explain(ctx, "randomisation", net, c.images, c.classes)
	if err != nil {
		return Degree{}, err
	}
	return c.compare(slices.Clone(layers), maps), nil
}

// redrawn returns the network with some layers drawn anew, the same one each time,
// so that an Explain need not compile for it again.
func (m *Meter) redrawn(how Redraw, layers []string) (cam.Network, error) {
	return m.randomised.get(fmt.Sprintf("%d %q", how, layers), func() (cam.Network, error) {
		return Randomised(m.net, how, m.random(parameters).Uint64(), layers...)
	})
}

// RandomLogit returns the Spearman rank correlation ([Spearman]) of each map with
// the map of another class, which the seed draws: the random-logit test of Sixt
// et al. 2020 (arXiv:1912.09818). A map that hardly depends on the class cannot
// say why it was this one. One value per image, −1 to 1; lower is better. It fails with
// [ErrClass] if the network has one class only, and with [ErrExplain].
func (c *Case) RandomLogit(ctx context.Context) ([]float64, error) {
	if c.numClasses < 2 {
		return nil, fail(ErrClass, "random logit: the network has one class, want another one to compare with")
	}
	random := c.meter.random(otherClass)
	others := make([]int, c.images.N)
	for i, class := range c.classes {
		others[i] = (class + 1 + random.IntN(c.numClasses-1)) % c.numClasses
	}
	maps, err := c.explain(ctx, "random logit", c.meter.net, c.images, others)
	if err != nil {
		return nil, err
	}
	return c.compare(nil, maps).Spearman, nil
}

// compare holds other maps, [n, height, width], against the case's.
func (c *Case) compare(layers []string, maps []float32) Degree {
	d := Degree{layers, make([]float64, c.images.N), make([]float64, c.images.N)}
	inParallel(c.images.N, func(i int) {
		other := maps[i*c.pixels() : (i+1)*c.pixels()]
		d.Spearman[i] = spearman(c.mapOf(i), other)
		d.SSIM[i] = ssim(c.mapOf(i), other, c.images.Height, c.images.Width)
	})
	return d
}

// Completeness returns by how much maps miss what they should add up to,
//
//	|S − y| / max(|S|, |y|),   S − y the residual, y the score,
//
// where S is what the map and the bias make of the score: mean(m) + b for CAM, Σ m + b
// for HiResCAM. residual and score have one value per image. The result is 0 to 2; lower is
// better. Rounding leaves about 1e-6, and more where the score itself is near 0;
// two zeros are complete. It fails with [ErrValues], also when residual is nil
// because the method promises nothing.
func Completeness(residual, score []float32) ([]float64, error) {
	if residual == nil {
		return nil, fail(ErrValues, "completeness: no residuals, want those of a method whose maps add up to the score")
	}
	if len(residual) != len(score) {
		return nil, fail(ErrValues, "completeness: %d residuals and %d scores, want one of each per image", len(residual), len(score))
	}
	for _, v := range [][]float32{residual, score} {
		if bad := failure.NotFinite(v); bad >= 0 {
			return nil, fail(ErrValues, "completeness: image %d: value %v, want finite ones", bad, v[bad])
		}
	}
	out := make([]float64, len(residual))
	for i := range out {
		r, y := float64(residual[i]), float64(score[i])
		if size := max(math.Abs(y), math.Abs(y+r)); size > 0 {
			out[i] = math.Abs(r) / size
		}
	}
	return out, nil
}
