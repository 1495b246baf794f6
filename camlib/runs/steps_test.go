package runs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/train"
)

func line(step int, loss float64) string {
	return fmt.Sprintf(`{"step":%d,"epoch":1,"loss":%v,"learning_rate":0.25,"gradient":1.5,"images_per_second":20.5,"seconds":%v}`+"\n", step, loss, float64(step)/2)
}

func TestSteps(t *testing.T) {
	one, two, three := line(1, 3), line(2, 2), line(3, 1)
	for _, row := range []struct {
		rule, text string
		losses     []float64
		wrong      string
	}{
		{"in their order", one + two + three, []float64{3, 2, 1}, ""},
		{"later lines count where a training went on", one + two + three + line(2, 7), []float64{3, 7}, ""},
		{"a line that is being written is left out", one + two[:30], []float64{3}, ""},
		{"and one without its end", one + strings.TrimSuffix(two, "\n"), []float64{3}, ""},
		{"a damaged line is named, the others read", one + "\x00\x00\n" + two + "{}\n" + three, []float64{3, 2, 1}, "line 2: invalid character"},
		{"a line without a step is none", one + `{"epoch":1}` + "\n", []float64{3}, "line 2: step 0, want 1 or more"},
		{"an empty file", "", nil, ""},
	} {
		t.Run(row.rule, func(t *testing.T) {
			r := opened(t, written(t, "run", map[string]string{train.StepsFile: row.text}))
			steps, err := r.Steps()
			var losses []float64
			for _, s := range steps {
				losses = append(losses, s.Loss)
			}
			if fmt.Sprint(losses) != fmt.Sprint(row.losses) {
				t.Errorf("losses %v, want %v", losses, row.losses)
			}
			if (err != nil) != (row.wrong != "") || err != nil && !strings.Contains(err.Error(), "steps.jsonl: "+row.wrong) {
				t.Errorf("error %v, want %q", err, row.wrong)
			}
			last := r.LastStep
			if (last == nil) != (len(steps) == 0) || last != nil && *last != steps[len(steps)-1] {
				t.Errorf("last step %+v of %+v", last, steps)
			}
		})
	}
	r := opened(t, written(t, "run", made(t, history(), "")))
	if steps, err := r.Steps(); steps != nil || err != nil || r.LastStep != nil {
		t.Errorf("without the file: %v, %v, %v", steps, err, r.LastStep)
	}
}

// TestLastStep is that the last line is found where the beginning of the file is not read.
func TestLastStep(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		b.WriteString(line(i+1, 1))
	}
	last := opened(t, written(t, "run", map[string]string{train.StepsFile: b.String() + line(1001, 1)[:40]})).LastStep
	if want := (train.Step{Step: 1000, Epoch: 1, Loss: 1, LearningRate: 0.25, Gradient: 1.5, ImagesPerSecond: 20.5, Seconds: 500}); last == nil || *last != want {
		t.Errorf("last step %+v, want %+v", last, want)
	}
}
