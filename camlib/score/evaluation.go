package score

import (
	"fmt"
	"math"

	"github.com/camlab-go/camlab/internal/failure"
)

// Evaluation is how good a network is on labeled images.
type Evaluation struct {
	Images   int     `json:"images"`
	Loss     float64 `json:"loss"` // mean cross entropy, in nats, see [Loss]
	Accuracy float64 `json:"accuracy"`
	// MacroF1 is the plain mean of the classes' F1.
	MacroF1 float64 `json:"macro_f1"`
	// CalibrationError is the expected calibration error of Guo et al. 2017
	// (arXiv:1706.04599, equation 3),
	//
	//	Σ_b n_b/n · |accuracy_b − mean probability_b|,
	//
	// over 15 bins of equal width of the predicted class's probability, 0 to 1: how far the
	// probabilities are from how often they are right. 0 in logs of before there was one.
	CalibrationError float64      `json:"calibration_error,omitempty"`
	PerClass         []ClassScore `json:"per_class"`
	// Confusion counts images by true class, then by predicted class.
	Confusion [][]int `json:"confusion"`
}

// String returns the evaluation in one line, without the classes.
func (e Evaluation) String() string {
	return fmt.Sprintf("%d images, loss %.4f, accuracy %.4f, macro-F1 %.4f", e.Images, e.Loss, e.Accuracy, e.MacroF1)
}

// Interval returns the 95 % interval of the accuracy p on n images, Wilson's (1927),
//
//	(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n),   z = 1.96,
//
// which stays within 0 and 1 and holds for a few images too, where p ± z √(p(1−p)/n) does
// not. It is 0 to 1 for no images.
func (e Evaluation) Interval() (low, high float64) {
	const z = 1.959963984540054 // 97.5 % of a normal distribution lie below
	if e.Images == 0 {
		return 0, 1
	}
	n, p := float64(e.Images), e.Accuracy
	middle, half := p+z*z/(2*n), z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, (middle-half)/(1+z*z/n)), min(1, (middle+half)/(1+z*z/n))
}

// ClassScore is how well one class is found: of the images predicted as the class, the
// part that is it (precision); of the images of the class, the part predicted as it
// (recall); and F1 = 2·precision·recall/(precision + recall). A part of nothing counts as
// 0, as scikit-learn's zero_division=0.
type ClassScore struct {
	Class     string  `json:"class"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

const calibrationBins = 15

// Evaluate returns the [Evaluation] of scores (before softmax), [n, classes] row by row,
// and the true labels, [n]. The predicted class is that of the largest score, the first of
// equals. It fails where there are no labels, where a label is none of the classes, and
// where a score is infinite or NaN.
func Evaluate(scores []float32, labels []int, classes []string) (*Evaluation, error) {
	k := len(classes)
	if len(labels) == 0 || len(scores) != k*len(labels) {
		return nil, fmt.Errorf("score: %d scores and %d labels, want %d scores for each of at least one label", len(scores), len(labels), k)
	}
	ev := &Evaluation{Images: len(labels), Confusion: make([][]int, k)}
	for c := range ev.Confusion {
		ev.Confusion[c] = make([]int, k)
	}
	var bins [calibrationBins]struct{ right, probability float64 }
	for i, label := range labels {
		row := scores[i*k : (i+1)*k]
		if label < 0 || label >= k {
			return nil, fmt.Errorf("score: label %d of image %d, want 0 to %d", label, i, k-1)
		}
		if bad := failure.NotFinite(row); bad >= 0 {
			return nil, fmt.Errorf("score: image %d: score %v of class %d, want finite scores", i, row[bad], bad)
		}
		ev.Loss += CrossEntropy(row, label) / float64(len(labels))
		predicted := argmax(row)
		ev.Confusion[label][predicted]++
		p := math.Exp(-CrossEntropy(row, predicted))
		bin := &bins[min(int(p*calibrationBins), calibrationBins-1)]
		bin.probability += p
		if predicted == label {
			bin.right++
		}
	}
	for _, b := range bins {
		ev.CalibrationError += math.Abs(b.right-b.probability) / float64(len(labels))
	}
	correct := 0
	for c, name := range classes {
		hits, actual, predicted := ev.Confusion[c][c], 0, 0
		for j := range k {
			actual += ev.Confusion[c][j]
			predicted += ev.Confusion[j][c]
		}
		correct += hits
		s := ClassScore{Class: name, Precision: ratio(hits, predicted), Recall: ratio(hits, actual), F1: ratio(2*hits, actual+predicted)}
		ev.PerClass = append(ev.PerClass, s)
		ev.MacroF1 += s.F1 / float64(k)
	}
	ev.Accuracy = ratio(correct, len(labels))
	return ev, nil
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
