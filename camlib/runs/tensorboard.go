package runs

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/legible"
)

// EventsFile is the name of the file that [Run.Events] writes. TensorBoard reads files with
// "tfevents" in their names.
const EventsFile = "events.out.tfevents.0.camlab"

// Events writes a run as an event file of TensorBoard: the scalars train/loss,
// train/learning_rate and train/gradient at the steps of the given lines, or without any the
// first two after each epoch; test/loss, test/accuracy and test/macro_f1 after each epoch, and
// the same of validation if there was one; the loss and accuracy of evaluations within an
// epoch, as the training has it, among those; and the settings as a text. Steps count over the whole run. A wall time
// is the start of the run and the seconds of training since, without the evaluations and
// interruptions. Values are rounded to float32.
func (r *Run) Events(w io.Writer, steps []train.Step) error {
	start := r.start()
	all := r.epochScalars(start, len(steps) == 0)
	within := "test/" // epochs
	if r.Log.Config.Validation > 0 {
		within = "validation/"
	}
	for _, s := range steps {
		at := start.Add(time.Duration(s.Seconds * float64(time.Second)))
		add := func(tag string, value float64) { all = append(all, scalar{at, s.Step, tag, value}) }
		add("train/loss", s.Loss)
		add("train/learning_rate", s.LearningRate)
		add("train/gradient", s.Gradient)
		if evaluated(s) {
			add(within+"loss", s.EvaluatedLoss)
			add(within+"accuracy", s.Accuracy)
		}
	}
	slices.SortStableFunc(all, func(a, b scalar) int { return cmp.Compare(a.step, b.step) })
	e := &eventWriter{w: w}
	e.version(start)
	e.text(start, 0, "settings", r.markdown())
	for _, s := range all {
		e.scalar(s.at, s.step, s.tag, s.value)
	}
	if e.err != nil {
		return fmt.Errorf("runs: events: %w", e.err)
	}
	return nil
}

// scalar is a value at a step.
type scalar struct {
	at    time.Time
	step  int64
	tag   string
	value float64
}

// epochScalars are those after each epoch, those of the training steps only if asked for.
func (r *Run) epochScalars(at time.Time, training bool) (all []scalar) {
	for i := range r.Log.Epochs {
		e := &r.Log.Epochs[i]
		at = at.Add(time.Duration(e.Seconds * float64(time.Second)))
		step := cmp.Or(r.lastStep(e), int64(e.Epoch))
		add := func(tag string, value float64) { all = append(all, scalar{at, step, tag, value}) }
		if training {
			add("train/loss", e.TrainLoss)
			if rate := r.learningRate(e); rate > 0 {
				add("train/learning_rate", rate)
			}
		}
		for _, on := range []struct {
			name string
			*score.Evaluation
		}{{"test/", tested(e)}, {"validation/", e.Validation}} {
			if on.Evaluation != nil {
				add(on.name+"loss", on.Loss)
				add(on.name+"accuracy", on.Accuracy)
				add(on.name+"macro_f1", on.MacroF1)
			}
		}
	}
	return all
}

// markdown is the table of the settings.
func (r *Run) markdown() string {
	var b strings.Builder
	b.WriteString("| setting | value |\n|---|---|\n")
	for _, row := range r.settings() {
		if v := row.Values[0]; v != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", row.Name, strings.ReplaceAll(legible.Line(v), "|", `\|`))
		}
	}
	return b.String()
}
