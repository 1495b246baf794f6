package metric_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/camlab-go/camlab/camlib/metric"
)

// odds is a network for images of 2 × 2 whose pixels multiply the odds of class 0 by
// 2, 3, 4 and 1/2 where they are white.
func odds() adder {
	return newAdder(2, 2, 1, []float32{0, 0}, []float32{ln(2), ln(3), ln(4), ln(0.5)}, make([]float32, 4))
}

var white = []float32{1, 1, 1, 1}

// TestDropByHand: a white image has odds of 12, Y = 12/13.
func TestDropByHand(t *testing.T) {
	const y = 12. / 13
	for _, row := range []struct {
		rule            string
		m               []float32
		o               float64
		drop, inc, gain float64
	}{
		{"min-max", []float32{1, 2, 3, 5}, math.Pow(3, 0.25) * 2 / 2, 0, 0, 0}, // masks 0, 1/4, 1/2, 1: odds 3^¼·4^½/2
		{"positive part before min-max", []float32{-7, 0, 1, 2}, 2. / 2, 0, 0, 0},
		{"all below zero is flat", []float32{-1, -2, -3, -4}, 1, 0, 0, 0},
		{"flat gives the mask 0", []float32{3, 3, 3, 3}, 1, 0, 0, 0},
		{"zeros give the mask 0", []float32{0, 0, 0, 0}, 1, 0, 0, 0},
		{"gain without what speaks against", []float32{9, 9, 9, 0}, 24, 0, 0, 0},
	} {
		o := row.o / (1 + row.o)
		drop, increase, gain := math.Max(0, y-o)/y, 0.0, math.Max(0, o-y)/(1-y)
		if o > y {
			increase = 1
		}
		c := judge(t, batch(t, odds(), metric.Options{Score: metric.Logit}, pictures(2, 2, white)), row.m)
		got, err := c.AverageDrop(t.Context())
		want(t, row.rule+": drop", got, []float64{drop}, err)
		got, err = c.Increase(t.Context())
		want(t, row.rule+": increase", got, []float64{increase}, err)
		got, err = c.AverageGain(t.Context())
		want(t, row.rule+": gain", got, []float64{gain}, err)
	}
}

// TestNoIncreaseOfEquals: a black image is the same seen through any map.
func TestNoIncreaseOfEquals(t *testing.T) {
	c := judge(t, batch(t, odds(), metric.Options{}, pictures(2, 2, make([]float32, 4))), []float32{1, 2, 3, 4})
	got, err := c.Increase(t.Context())
	want(t, "increase", got, []float64{0}, err)
}

// TestMaskedImage: masks multiply the pixels' own values, all channels alike.
func TestMaskedImage(t *testing.T) {
	net := newAdder(1, 2, 2, []float32{0, 0}, []float32{ln(2), ln(3), ln(5), ln(7)}, make([]float32, 4))
	c := judge(t, batch(t, net, metric.Options{}, pictures(1, 2, []float32{1, 0.5, 1, 0.25})), []float32{0, 4})
	got, err := c.AverageDrop(t.Context())
	all, seen := 10*math.Sqrt(3)*math.Pow(7, 0.25), 5*math.Pow(7, 0.25)
	want(t, "drop", got, []float64{1 - seen/(1+seen)*(1+all)/all}, err)
}

// TestDeletionAndInsertionByHand adds up logits: 1, 2, 4 and 8 per pixel, of values
// 1, ½, ½ and 1, and a bias of −1.
func TestDeletionAndInsertionByHand(t *testing.T) {
	net := newAdder(2, 2, 1, []float32{-1, 0}, []float32{1, 2, 4, 8}, make([]float32, 4))
	x := pictures(2, 2, []float32{1, 0.5, 0.5, 1})
	m := []float32{0.5, -1, 7, 3} // pixels 2, 3, 0, 1
	for _, row := range []struct {
		rule                string
		opts                metric.Options
		deletion, insertion []float64
		below, above        float64
	}{
		{"black", metric.Options{Steps: 4, Insertion: metric.Black},
			[]float64{11, 9, 1, 0, -1}, []float64{-1, 1, 9, 10, 11}, (11./2 + 9 + 1 + 0 - 1./2) / 4, (-1./2 + 1 + 9 + 10 + 11./2) / 4},
		{"mean color, ¾", metric.Options{Steps: 4, Deletion: metric.MeanColor, Insertion: metric.MeanColor},
			[]float64{11, 12, 10, 9.75, 10.25}, []float64{10.25, 9.25, 11.25, 11.5, 11},
			(11./2 + 12 + 10 + 9.75 + 10.25/2) / 4, (10.25/2 + 9.25 + 11.25 + 11.5 + 11./2) / 4},
		{"two steps", metric.Options{Steps: 2, Insertion: metric.Black}, []float64{11, 1, -1}, []float64{-1, 9, 11}, (11./2 + 1 - 1./2) / 2, (-1./2 + 9 + 11./2) / 2},
		{"one step", metric.Options{Steps: 1, Insertion: metric.Black}, []float64{11, -1}, []float64{-1, 11}, 5, 5},
		{"three steps of 4/3 pixels, rounded", metric.Options{Steps: 3, Insertion: metric.Black}, []float64{11, 9, 0, -1}, []float64{-1, 1, 10, 11},
			(11./2 + 9 + 0 - 1./2) / 3, (-1./2 + 1 + 10 + 11./2) / 3},
	} {
		row.opts.Score = metric.Logit
		c := judge(t, batch(t, net, row.opts, x), m)
		deletion, err := c.Deletion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		insertion, err := c.Insertion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want(t, row.rule+": deletion", deletion.Scores[0], row.deletion, nil)
		want(t, row.rule+": insertion", insertion.Scores[0], row.insertion, nil)
		want(t, row.rule+": area", deletion.AUC(), []float64{row.below}, nil)
		want(t, row.rule+": area", insertion.AUC(), []float64{row.above}, nil)
		want(t, row.rule+": mean", deletion.Mean(), row.deletion, nil)
		for j, f := range deletion.Fraction {
			if f != float64(j)/float64(row.opts.Steps) {
				t.Errorf("%s: fraction %d is %v", row.rule, j, f)
			}
		}
	}
}

// TestProbabilityByDefault: the same in probabilities.
func TestProbabilityByDefault(t *testing.T) {
	c := judge(t, batch(t, odds(), metric.Options{Steps: 4}, pictures(2, 2, white)), []float32{1, 2, 3, 4})
	deletion, err := c.Deletion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "deletion", deletion.Scores[0], []float64{12. / 13, 24. / 25, 6. / 7, 2. / 3, 1. / 2}, nil)
	want(t, "scores", c.Scores(), []float64{12. / 13}, nil)
}

// TestUpsampledWithCornersAligned: of 1 × 2 values over 1 × 4 pixels, 0 and 3 become
// 0, 1, 2, 3.
func TestUpsampledWithCornersAligned(t *testing.T) {
	net := newAdder(1, 4, 1, []float32{0, 0}, []float32{0, 1, 3, 0}, make([]float32, 4))
	s := batch(t, net, metric.Options{Score: metric.Logit}, pictures(1, 4, white))
	c, err := s.Case(mapsOf(s, 1, 2, []float32{0, 3}), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Sparseness() // of 0, 1, 2, 3
	want(t, "Gini index", got, []float64{1 - 2./6*(1*2.5+2*1.5+3*0.5)/4}, nil)
}

// random is a network, images and maps without ties for properties.
func random(t *rapid.T) (adder, [][]float32, [][]float32) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	values := func(n int, scale float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.Float64() * scale)
		}
		return v
	}
	height, width := rapid.IntRange(1, 4).Draw(t, "height"), rapid.IntRange(1, 5).Draw(t, "width")
	n := rapid.IntRange(1, 5).Draw(t, "images")
	net := newAdder(height, width, 3, values(3, 1), values(3*height*width, 1), values(3*height*width, 2), values(3*height*width, 1))
	var images, maps [][]float32
	for range n {
		images = append(images, values(3*height*width, 1))
		m := values(height*width, 2)
		for i := range m {
			m[i]--
		}
		maps = append(maps, m)
	}
	return net, images, maps
}

// TestIdentity13: insertion starts and deletion ends at the baseline image's score,
// deletion starts and insertion ends at the image's; and between them, what
// deletion by a map leaves is what insertion by its negative puts in.
func TestIdentity13(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		net, images, maps := random(rt)
		fill := rapid.SampledFrom([]metric.Fill{metric.Black, metric.MeanColor, metric.Blurred}).Draw(rt, "fill")
		score := rapid.SampledFrom([]metric.Score{metric.Probability, metric.Logit}).Draw(rt, "score")
		x := pictures(net.height, net.width, images...)
		opts := metric.Options{Steps: net.height * net.width, Deletion: fill, Insertion: fill, Score: score, Batch: rapid.IntRange(1, 9).Draw(rt, "batch")}
		s := batch(t, net, opts, x)
		c := judge(t, s, maps...)
		negative := make([][]float32, len(maps))
		for i, m := range maps {
			for _, v := range m {
				negative[i] = append(negative[i], -v)
			}
		}
		deletion, err := c.Deletion(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		insertion, err := judge(t, s, negative...).Insertion(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		base := x
		base.Pixels = metric.FillOf(fill, x)
		baseline := batch(t, net, opts, base).Scores()
		for i := range images {
			d, ins := deletion.Scores[i], insertion.Scores[i]
			last := len(d) - 1
			wantWithin(rt, "ends", []float64{d[0], ins[last], d[last], ins[0]}, []float64{s.Scores()[i], s.Scores()[i], baseline[i], baseline[i]}, 1e-5)
			for j := range d {
				if math.Abs(d[j]-ins[last-j]) > 1e-5 {
					rt.Fatalf("image %d: deletion %v, insertion by the negative map %v", i, d, ins)
				}
			}
		}
	})
}

// TestTiesAreNotInOrder: with equal values everywhere, the first quarter of the
// pixels is not the top of the image, another seed takes other pixels, and the same
// seed the same.
func TestTiesAreNotInOrder(t *testing.T) {
	const side = 8
	rows := make([]float32, side*side) // the logit is the number of the rows' pixels that are left
	for p := range rows {
		rows[p] = float32(p / side)
	}
	flat := make([]float32, side*side)
	net := newAdder(side, side, 1, []float32{0, 0}, rows, flat)
	ones := make([]float32, side*side)
	for p := range ones {
		ones[p] = 1
	}
	sum := func(seed uint64, m []float32) []float64 {
		c := judge(t, batch(t, net, metric.Options{Steps: 4, Score: metric.Logit, Seed: seed}, pictures(side, side, ones, ones)), m, flat)
		d, err := c.Deletion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(d.Scores[0]) != fmt.Sprint(d.Scores[1]) {
			t.Errorf("seed %d: two flat maps give %v and %v, want the same", seed, d.Scores[0], d.Scores[1])
		}
		return d.Scores[0]
	}
	first := sum(1, flat)
	if first[0] != 224 || first[1] < 150 || first[1] > 186 {
		t.Errorf("a quarter of equal pixels gone leaves %v of %v, want about 168 of 224; the top rows would leave 216, the bottom rows 120", first[1], first[0])
	}
	if fmt.Sprint(first) != fmt.Sprint(sum(1, flat)) {
		t.Error("the same seed gives another order")
	}
	if fmt.Sprint(first) == fmt.Sprint(sum(2, flat)) {
		t.Error("another seed gives the same order")
	}
	minus := make([]float32, side*side) // zeros of both signs tie
	for p := range minus {
		if p%2 == 0 {
			minus[p] = float32(math.Copysign(0, -1))
		}
	}
	if fmt.Sprint(first) != fmt.Sprint(sum(1, minus)) {
		t.Error("0 and −0 do not tie")
	}
}

// TestParts: neither the size of a run nor the images beside it change a value.
func TestParts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		net, images, maps := random(rt)
		opts := metric.Options{Steps: 5, Infidelity: metric.InfidelityOptions{Perturbations: 7}}
		whole := judge(t, batch(t, net, opts, pictures(net.height, net.width, images...)), maps...)
		opts.Batch = rapid.IntRange(1, 6).Draw(rt, "batch")
		parts := judge(t, batch(t, net, opts, pictures(net.height, net.width, images...)), maps...)
		i := rapid.IntRange(0, len(images)-1).Draw(rt, "image")
		alone := judge(t, batch(t, net, opts, pictures(net.height, net.width, images[i])), maps[i])
		for _, m := range metric.Metrics() {
			if m.Explain {
				continue
			}
			a, err := m.Compute(t.Context(), whole)
			if err != nil {
				rt.Fatal(err)
			}
			b, err := m.Compute(t.Context(), parts)
			if err != nil {
				rt.Fatal(err)
			}
			c, err := m.Compute(t.Context(), alone)
			if err != nil {
				rt.Fatal(err)
			}
			wantWithin(rt, m.Name+" in parts", b, a, 1e-5)
			wantWithin(rt, m.Name+" alone", c, a[i:i+1], 1e-5)
		}
	})
}
