package runs

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
)

// The columns of [Run.EpochsCSV] and [Run.StepsCSV].
var (
	epochColumns = []string{"epoch", "step", "learning_rate", "train_loss",
		"validation_loss", "validation_accuracy", "validation_macro_f1", "test_loss", "test_accuracy", "test_macro_f1",
		"seconds", "images_per_second", "best"}
	stepColumns = []string{"step", "epoch", "loss", "learning_rate", "gradient", "images_per_second", "seconds", "accuracy", "evaluated_loss"}
)

// EpochsCSV writes a table of the epochs, a line for each after one of the columns' names:
// epoch, step (the last of the epoch, counted over the whole run), learning_rate,
// train_loss (in nats, as all losses), validation_loss, validation_accuracy (0 to 1, as all
// accuracies and F1), validation_macro_f1, test_loss, test_accuracy, test_macro_f1, seconds
// (of the epoch's training steps), images_per_second and best (1 for the best epoch, else
// 0). What the log does not tell is empty.
func (r *Run) EpochsCSV(w io.Writer) error {
	epochs, best := r.Log.Epochs, r.Best()
	rows := [][]string{epochColumns}
	for i := range epochs {
		e := &epochs[i]
		line := []string{strconv.Itoa(e.Epoch), "", number(r.learningRate(e)), float(e.TrainLoss),
			"", "", "", "", "", "", float(e.Seconds), number(r.imagesPerSecond(e)), "0"}
		if n := r.lastStep(e); n > 0 {
			line[1] = strconv.FormatInt(n, 10)
		}
		for at, v := range map[int]*score.Evaluation{4: e.Validation, 7: tested(e)} {
			if v != nil {
				line[at], line[at+1], line[at+2] = float(v.Loss), float(v.Accuracy), float(v.MacroF1)
			}
		}
		if e == best {
			line[12] = "1"
		}
		rows = append(rows, line)
	}
	return writeCSV(w, rows)
}

// StepsCSV writes steps, a line for each after one of the columns' names, which are
// those of [train.Step] in JSON. Where no evaluation was, its two are empty.
func StepsCSV(w io.Writer, steps []train.Step) error {
	rows := [][]string{stepColumns}
	for _, s := range steps {
		line := []string{strconv.FormatInt(s.Step, 10), strconv.Itoa(s.Epoch), float(s.Loss), float(s.LearningRate),
			float(s.Gradient), float(s.ImagesPerSecond), float(s.Seconds), "", ""}
		if evaluated(s) {
			line[7], line[8] = float(s.Accuracy), float(s.EvaluatedLoss)
		}
		rows = append(rows, line)
	}
	return writeCSV(w, rows)
}

func writeCSV(w io.Writer, rows [][]string) error {
	if err := csv.NewWriter(w).WriteAll(rows); err != nil {
		return fmt.Errorf("runs: csv: %w", err)
	}
	return nil
}

// float writes a number so that reading it gives the same one.
func float(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
