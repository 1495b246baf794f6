package train

import (
	"fmt"
	"math"
)

// Schedule names how the learning rate changes in a training.
type Schedule string

// The schedules: what the learning rate is multiplied by at a step when a fraction x of the
// training's steps is done, 0 ≤ x < 1, with the fraction u of the steps that [Config.Warmup]
// gives, and v = (x−u)/(1−u) after it.
//
//	Constant    1
//	Cosine      (1 + cos πv)/2 (Loshchilov & Hutter 2016, arXiv:1608.03983, without restarts)
//	Triangular  from 1/5 to 1 in a line while x < u, then from 1 to 0 in a line
//	OneCycle    from 1/25 to 1 by half a cosine, then to 4·10⁻⁶ by another (Smith & Topin 2017,
//	            arXiv:1708.07120, step for step as PyTorch's OneCycleLR)
//
// Where Constant and Cosine have a warmup, it is (x + 1/steps)/u, so that no step is without
// effect.
const (
	Constant   Schedule = "constant"
	Cosine     Schedule = "cosine"
	Triangular Schedule = "triangular"
	OneCycle   Schedule = "onecycle"
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
	n, all := float64(step), float64(steps)
	line := func(from, to, x float64) float64 { return from + (to-from)*x }
	cosine := func(from, to, x float64) float64 { return line(to, from, (1+math.Cos(math.Pi*x))/2) }
	if s == OneCycle {
		if top := warmup*all - 1; n <= top {
			return cosine(1./25, 1, n/max(top, 1))
		} else {
			return cosine(1, 1e-4/25, (n-top)/(all-1-top))
		}
	}
	x := n / all
	switch v := (x - warmup) / (1 - warmup); {
	case x < warmup && s == Triangular:
		return line(1./5, 1, x/warmup)
	case x < warmup:
		return min(1, (x+1/all)/warmup)
	case s == Triangular:
		return line(1, 0, v)
	case s == Cosine:
		return cosine(1, 0, v)
	}
	return 1
}
