package cam

import "strings"

// Outcome says why a map shows less than it seems to. The zero value is a map
// with nothing to say about it.
type Outcome uint8

// The outcomes; a map can have several, added up.
const (
	// NoPositiveEvidence is a map with no value above zero: by this method nothing
	// in the image speaks for the class. A method with a ReLU gives zero everywhere.
	NoPositiveEvidence Outcome = 1 << iota
	// Flat is a map with one value everywhere: it names no place.
	Flat
	// ConstantChannel is an image of which at least one channel of the activations
	// is the same everywhere, so that its mask is empty (Score-CAM and its kin).
	ConstantChannel
	// NegativeScore is a score below zero that the method divides by, which turns
	// its signs round (Ablation-CAM).
	NegativeScore
)

var outcomeNames = []string{"no positive evidence", "flat map", "constant channel", "negative score"}

// String lists the outcomes in words, "ok" if there is none.
func (o Outcome) String() string {
	var names []string
	for i, name := range outcomeNames {
		if o.Has(1 << i) {
			names = append(names, name)
		}
	}
	if names == nil {
		return "ok"
	}
	return strings.Join(names, ", ")
}

// Has reports whether an outcome is among those of a map.
func (o Outcome) Has(one Outcome) bool { return o&one != 0 }

// seen returns what the values of a map themselves say.
func seen(m []float32) (o Outcome) {
	low, high := m[0], m[0]
	for _, v := range m {
		low, high = min(low, v), max(high, v)
	}
	if high <= 0 {
		o |= NoPositiveEvidence
	}
	if low == high {
		o |= Flat
	}
	return o
}
