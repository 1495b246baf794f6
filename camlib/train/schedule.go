package train

import (
	"fmt"
	"math"
)

// Schedule names how the learning rate changes in a training.
type Schedule string

// The schedules: what the learning rate is multiplied by when a fraction x of the training's
// steps is done, 0 ≤ x < 1, with the fraction u of steps that [Config.Warmup] gives.
//
//	Constant    1; x/u while x < u
//	Cosine      (1 + cos πx')/2, x' = (x−u)/(1−u); x/u while x < u (Loshchilov & Hutter 2016, arXiv:1608.03983, without restarts)
//	OneCycle    from 1/25 to 1 by a cosine while x < u, then from 1 to 10⁻⁴/25 by a cosine (Smith & Topin 2017, arXiv:1708.07120, as PyTorch has it)
//	Triangular  from 1/5 to 1 in a line while x < u, then from 1 to 0 in a line
//
// In a line x/u is that of the next step, (x + 1/steps)/u, so that no step is without effect.
const (
	Constant   Schedule = "constant"
	Cosine     Schedule = "cosine"
	OneCycle   Schedule = "onecycle"
	Triangular Schedule = "triangular"
)

// ParseSchedule returns the schedule of that name.
func ParseSchedule(name string) (Schedule, error) {
	switch s := Schedule(name); s {
	case Constant, Cosine, OneCycle, Triangular:
		return s, nil
	}
	return "", fmt.Errorf("train: schedule %q, want %s, %s, %s or %s", name, Constant, Cosine, OneCycle, Triangular)
}

// warmup is the fraction of steps in which the learning rate rises where none is asked for.
func (s Schedule) warmup() float64 {
	switch s {
	case OneCycle:
		return 0.3
	case Triangular:
		return 0.2
	}
	return 0
}

// Factor returns what the learning rate is multiplied by at a step, counted from 0, of so many.
func (s Schedule) Factor(step, steps int64, warmup float64) float64 {
	x := float64(step) / float64(steps)
	line := func(from, to, x float64) float64 { return from + (to-from)*x }
	cosine := func(from, to, x float64) float64 { return line(to, from, (1+math.Cos(math.Pi*x))/2) }
	if x < warmup {
		switch s {
		case OneCycle:
			return cosine(1./25, 1, x/warmup)
		case Triangular:
			return line(1./5, 1, x/warmup)
		}
		return min(1, float64(step+1)/float64(steps)/warmup)
	}
	x = (x - warmup) / (1 - warmup)
	switch s {
	case Cosine:
		return cosine(1, 0, x)
	case OneCycle:
		return cosine(1, 1e-4/25, x)
	case Triangular:
		return line(1, 0, x)
	}
	return 1
}
