package score

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/internal/backendtest"
)

func TestEvaluateCountsByHand(t *testing.T) {
	// Five images of classes a, a, b, b, c; predicted a, b, b, b, a. Class c is
	// never predicted, so its precision is a part of nothing.
	scores := []float32{
		2, 0, 0,
		0, 2, 0,
		0, 2, 0,
		0, 2, 0,
		2, 0, 0,
	}
	ev, err := Evaluate(scores, []int{0, 0, 1, 1, 2}, []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	f1 := []float64{0.5, 0.8, 0}
	for k, want := range []ClassScore{{"a", 0.5, 0.5, f1[0]}, {"b", 2. / 3, 1, f1[1]}, {"c", 0, 0, f1[2]}} {
		got := ev.PerClass[k]
		if got.Class != want.Class || math.Abs(got.Precision-want.Precision) > 1e-12 || math.Abs(got.Recall-want.Recall) > 1e-12 || math.Abs(got.F1-want.F1) > 1e-12 {
			t.Errorf("class %s: %+v, want %+v", want.Class, got, want)
		}
	}
	right, wrong := math.Log(1+2*math.Exp(-2)), 2+math.Log(1+2*math.Exp(-2))
	if want := (3*right + 2*wrong) / 5; math.Abs(ev.Loss-want) > 1e-9 {
		t.Errorf("loss %v, want %v", ev.Loss, want)
	}
	if math.Abs(ev.Accuracy-0.6) > 1e-12 || math.Abs(ev.MacroF1-1.3/3) > 1e-12 || ev.Images != 5 {
		t.Errorf("accuracy %v, macro-F1 %v, %d images; want 0.6, %v, 5", ev.Accuracy, ev.MacroF1, ev.Images, 1.3/3)
	}
	if got := fmt.Sprint(ev.Confusion); got != "[[1 1 0] [0 2 0] [1 0 0]]" {
		t.Errorf("confusion %s, want [[1 1 0] [0 2 0] [1 0 0]]", got)
	}
	text, err := json.Marshal(ev)
	if err != nil || !strings.HasPrefix(string(text), `{"images":5,"loss":`) || !strings.Contains(string(text), `"per_class":[{"class":"a","precision":0.5,"recall":0.5,"f1":0.5}`) {
		t.Errorf("JSON %s, error %v; want the names of the scripts' contract", text, err)
	}
	if want := "5 images, loss 1.0395, accuracy 0.6000, macro-F1 0.4333"; ev.String() != want {
		t.Errorf("%q, want %q", ev, want)
	}
	if _, err := Evaluate(scores, []int{0}, []string{"a", "b", "c"}); err == nil {
		t.Error("15 scores for one label of three classes: no error")
	}
	for _, label := range []int{3, -1} {
		_, err := Evaluate(scores, []int{0, 0, 1, 1, label}, []string{"a", "b", "c"})
		if want := fmt.Sprintf("score: label %d of image 4, want 0 to 2", label); err == nil || err.Error() != want {
			t.Errorf("label out of range: error %v, want %s", err, want)
		}
	}
}

// TestInterval against scipy 1.17.1, binomtest(right, n).proportion_ci(method="wilson").
func TestInterval(t *testing.T) {
	for _, test := range []struct {
		right, n  int
		low, high float64
	}{{8, 10, 0.4901624715366417, 0.9433178485456248}, {0, 10, 0, 0.2775327998628893}, {10, 10, 0.7224672001371109, 1}, {52, 80, 0.5408000664880765, 0.7454544946512653}, {0, 0, 0, 1}} {
		low, high := Evaluation{Images: test.n, Accuracy: ratio(test.right, test.n)}.Interval()
		if math.Abs(low-test.low) > 1e-9 || math.Abs(high-test.high) > 1e-9 {
			t.Errorf("%d of %d: %v to %v, want %v to %v", test.right, test.n, low, high, test.low, test.high)
		}
	}
}

// TestTheFirstOfEqualScoresIsPredicted.
func TestTheFirstOfEqualScoresIsPredicted(t *testing.T) {
	ev, err := Evaluate([]float32{1, 3, 3}, []int{1}, []string{"a", "b", "c"})
	if err != nil || ev.Accuracy != 1 {
		t.Errorf("accuracy %v, error %v, want class b of the equal b and c", ev.Accuracy, err)
	}
}

// TestEvaluateRefusesWhatIsNotFinite, which no class is the largest of.
func TestEvaluateRefusesWhatIsNotFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := Evaluate([]float32{1, 2, 3, float32(bad)}, []int{0, 1}, []string{"ant", "bee"})
		if want := fmt.Sprintf("score: image 1: score %v of class 1, want finite scores", bad); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestLossIsGos: the graph's loss and likelihood, and their gradient, are those of Go.
func TestLossIsGos(t *testing.T) {
	scores := [][]float32{{1, 2, 0.5}, {-3, 0, 4}, {0, 30, 0}, {1000, 0, -1000}}
	labels := []uint8{1, 2, 0, 0}
	out, err := graph.CallOnceN(backendtest.Go(t), func(s, label *graph.Node) []*graph.Node {
		loss := Loss(s, label)
		return []*graph.Node{loss, LogLikelihood(s, label), graph.Gradient(loss, s)[0]}
	}, scores, labels)
	if err != nil {
		t.Fatal(err)
	}
	likelihood, gradient := tensors.MustCopyFlatData[float32](out[1]), tensors.MustCopyFlatData[float32](out[2])
	mean := 0.0
	for i, row := range scores {
		want := CrossEntropy(row, int(labels[i]))
		mean += want / float64(len(scores))
		if math.Abs(float64(likelihood[i])+want) > 1e-6*max(1, want) {
			t.Errorf("image %d: log likelihood %v, want %v", i, likelihood[i], -want)
		}
		for c, p := range Softmax(row) {
			if c == int(labels[i]) {
				p--
			}
			if got := gradient[3*i+c]; math.Abs(float64(got)-p/4) > 1e-6 {
				t.Errorf("image %d: gradient of class %d is %v, want %v", i, c, got, p/4)
			}
		}
	}
	if got := float64(tensors.ToScalar[float32](out[0])); math.Abs(got-mean) > 1e-6*mean {
		t.Errorf("loss %v, want %v", got, mean)
	}
}

func ExampleEvaluate() {
	// Three images, two classes; the last image is taken for the other class.
	scores := []float32{
		4, 0,
		0, 4,
		0, 4,
	}
	e, err := Evaluate(scores, []int{0, 1, 0}, []string{"frog", "toad"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("accuracy %.3f, macro-F1 %.3f, confusion %v\n", e.Accuracy, e.MacroF1, e.Confusion)
	for _, c := range e.PerClass {
		fmt.Printf("%s: precision %.2f, recall %.2f\n", c.Class, c.Precision, c.Recall)
	}
	// Output:
	// accuracy 0.667, macro-F1 0.667, confusion [[1 1] [0 1]]
	// frog: precision 1.00, recall 0.50
	// toad: precision 0.50, recall 1.00
}

func ExampleSoftmax() {
	fmt.Printf("%.3f\n", Softmax([]float32{1, 1, 1000, 1}))
	fmt.Printf("%.3f\n", Softmax([]float32{0, float32(math.Log(3))}))
	// Output:
	// [0.000 0.000 1.000 0.000]
	// [0.250 0.750]
}

// TestCalibrationError: four images in two bins, by hand: of the two with a probability of 0.5
// one is right, of the two with 0.9 none.
func TestCalibrationError(t *testing.T) {
	sure := float32(math.Log(9)) // p = 0.9 of two classes
	ev, err := Evaluate([]float32{0, 0, 0, 0, sure, 0, sure, 0}, []int{0, 1, 1, 1}, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	if want := 0.5 * 0.9; math.Abs(ev.CalibrationError-want) > 1e-6 {
		t.Errorf("calibration error %v, want %v", ev.CalibrationError, want)
	}
}
