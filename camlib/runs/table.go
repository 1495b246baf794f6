package runs

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/camlab-go/camlab/internal/legible"
)

// none stands in a table where there is no value.
const none = "–"

// table writes rows of cells in columns below their heads, which may be nil. A column with a
// head and nothing below it is left out; one of numbers below a head stands on the right.
func table(w io.Writer, heads []string, rows [][]string) error {
	if heads != nil {
		rows = append([][]string{heads}, rows...)
	}
	columns := 0
	for _, row := range rows {
		columns = max(columns, len(row))
	}
	lines := make([]string, len(rows))
	for k := range columns {
		cells := make([]string, len(rows)) // "" where a row has ended before
		width, filled, numbers := 0, heads == nil, heads != nil
		for i, row := range rows {
			if k >= len(row) {
				continue
			}
			cells[i] = legible.Line(row[k])
			if below := i > 0; below && cells[i] != "" {
				filled = true
				numbers = numbers && strings.ContainsRune("0123456789", rune(cells[i][0]))
			}
			if cells[i] == "" && (heads == nil || heads[k] != "") {
				cells[i] = none
			}
			if len(row) > 1 { // else it is a heading over all columns
				width = max(width, utf8.RuneCountInString(cells[i]))
			}
		}
		for i, row := range rows {
			if filled && k < len(row) {
				pad := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(cells[i])))
				if numbers {
					lines[i] += pad + cells[i] + "  "
				} else {
					lines[i] += cells[i] + pad + "  "
				}
			}
		}
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ") + "\n"
	}
	_, err := io.WriteString(w, strings.Join(lines, ""))
	return err
}

// WriteList writes a table of runs, a line for each, and below it what is to be said of
// them. Accuracies are on the test images, after the last epoch and after the best.
func WriteList(w io.Writer, runs []*Run) error {
	heads := []string{"run", "state", "epochs", "accuracy (%)", "best (%)", "test loss", "time", "images/s", "started (UTC)", "network"}
	var rows [][]string
	for _, r := range runs {
		s := r.Summary()
		rows = append(rows, []string{filepath.ToSlash(r.Dir), string(r.State), count(s.Epochs), percent(s.Accuracy), percent(s.BestAccuracy),
			loss(s.TestLoss), duration(s.Seconds), speed(s.ImagesPerSecond), moment(s.Started), s.Network})
	}
	if err := table(w, heads, rows); err != nil {
		return err
	}
	first := "\n"
	for _, r := range runs {
		for _, note := range r.notes() {
			if _, err := fmt.Fprintf(w, "%s%s: %s\n", first, legible.Line(filepath.ToSlash(r.Dir)), note); err != nil {
				return err
			}
			first = ""
		}
	}
	return nil
}

// notes are what is to be said of a run: who trains, where it stands within an epoch, and
// what is wrong.
func (r *Run) notes() (notes []string) {
	switch at := r.LastStep; {
	case r.State == Running && at != nil:
		notes = append(notes, fmt.Sprintf("%s trains, at step %s, in epoch %d", r.Holder, count(at.Step), at.Epoch))
	case r.State == Running:
		notes = append(notes, r.Holder+" trains")
	case r.State == Stopped && at != nil:
		notes = append(notes, fmt.Sprintf("stopped after step %s, in epoch %d", count(at.Step), at.Epoch))
	}
	for _, p := range r.Problems {
		notes = append(notes, legible.Line(p))
	}
	return notes
}

// Write writes all that is known of a run: its settings, a line for each epoch, and what it
// came to.
func (r *Run) Write(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n", filepath.ToSlash(r.Dir), r.State)
	for _, note := range r.notes() {
		fmt.Fprintf(w, "  %s\n", note)
	}
	if err := section(w, "settings", r.settings()); err != nil {
		return err
	}
	if len(r.Log.Epochs) > 0 {
		fmt.Fprintln(w)
		if err := table(w, epochHeads, r.epochs()); err != nil {
			return err
		}
	}
	for _, e := range r.Log.Epochs {
		if e.Warning != "" {
			fmt.Fprintf(w, "epoch %d: %s\n", e.Epoch, legible.Line(e.Warning))
		}
	}
	return section(w, "results", r.results()[1:]) // the state is above
}

// section writes a heading and the rows that have a value, if any.
func section(w io.Writer, heading string, rows []Row) error {
	var cells [][]string
	for _, row := range rows {
		if strings.Join(row.Values, "") != "" {
			cells = append(cells, append([]string{"  " + row.Name}, row.Values...))
		}
	}
	if len(cells) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\n%s\n", heading)
	return table(w, nil, cells)
}

var epochHeads = []string{"epoch", "train loss", "validation loss", "validation accuracy (%)", "test loss", "test accuracy (%)", "macro-F1 (%)", "learning rate", "time", "images/s", ""}

// epochs is the table of the epochs, under epochHeads.
func (r *Run) epochs() (rows [][]string) {
	best := r.Best()
	for i := range r.Log.Epochs {
		e := &r.Log.Epochs[i]
		cells := []string{count(e.Epoch), loss(&e.TrainLoss), "", "", "", "", "",
			number(r.learningRate(e)), duration(e.Seconds), speed(r.imagesPerSecond(e)), ""}
		if v := e.Validation; v != nil {
			cells[2], cells[3] = loss(&v.Loss), percent(&v.Accuracy)
		}
		if v := tested(e); v != nil {
			cells[4], cells[5], cells[6] = loss(&v.Loss), percent(&v.Accuracy), percent(&v.MacroF1)
		}
		if e == best {
			cells[len(cells)-1] = "best"
		}
		rows = append(rows, cells)
	}
	return rows
}

// Write writes the comparison as a table with a column for each run.
func (c *Comparison) Write(w io.Writer) error {
	heads := []string{""}
	for _, r := range c.Runs {
		heads = append(heads, r.Name)
	}
	rows := [][]string{{"settings that differ"}}
	if len(c.Settings) == 0 {
		rows[0][0] = "settings: the same, as far as the logs tell"
	}
	for _, row := range c.Settings {
		rows = append(rows, append([]string{"  " + row.Name}, row.Values...))
	}
	rows = append(rows, []string{"results"})
	for _, row := range c.results {
		rows = append(rows, append([]string{"  " + row.Name}, row.Values...))
	}
	return table(w, heads, rows)
}

// count writes a whole number in groups of three digits, and 0 as "".
func count[N int | int64](n N) string {
	if n == 0 {
		return ""
	}
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func number(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func short(sum string) string { return sum[:min(len(sum), 12)] }

// moment writes a time in UTC, to the minute, and none as "".
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// share writes a setting from 0 to 1 in percent, and 0 as "".
func share(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(100*v, 'g', 6, 64)
}

// percent writes a share of 1, such as an accuracy, in percent, and nil as "".
func percent(share *float64) string {
	if share == nil {
		return ""
	}
	return fmt.Sprintf("%.2f", 100**share)
}

// loss writes a loss, and nil as "".
func loss(v *float64) string {
	switch {
	case v == nil:
		return ""
	case *v >= 1e6: // of a training gone wild
		return fmt.Sprintf("%.4g", *v)
	}
	return fmt.Sprintf("%.4f", *v)
}

// duration writes seconds, and 0 as "".
func duration(seconds float64) string {
	switch {
	case seconds <= 0:
		return ""
	case seconds < 10:
		return fmt.Sprintf("%.1fs", seconds)
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

// speed writes images per second, and 0 as "".
func speed(perSecond float64) string {
	switch {
	case perSecond <= 0:
		return ""
	case perSecond < 10:
		return fmt.Sprintf("%.1f", perSecond)
	}
	return count(int(math.Round(perSecond)))
}
