package runs

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/camlab-go/camlab/internal/legible"
)

// none stands in a table where there is no value.
const none = "–"

// table writes rows of cells in columns. An empty cell shows as [none], but for the last of
// a row.
func table(w io.Writer, rows ...[]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, cells := range rows {
		for i, cell := range cells {
			cells[i] = cmp.Or(legible.Line(cell), none)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// WriteList writes a table of runs, a line for each, and below it what is wrong with them.
func WriteList(w io.Writer, runs []*Run) error {
	rows := [][]string{{"run", "state", "epochs", "best (%)", "last (%)", "test loss", "train loss", "time", "images/s", "network"}}
	for _, r := range runs {
		s := r.Summary()
		rows = append(rows, []string{filepath.ToSlash(r.Dir), string(r.State), count(s.Epochs), percent(s.BestAccuracy), percent(s.Accuracy),
			loss(s.TestLoss), loss(s.TrainLoss), duration(s.Seconds), speed(s.ImagesPerSecond), s.Network})
	}
	if err := table(w, rows...); err != nil {
		return err
	}
	var notes []string
	for _, r := range runs {
		for _, p := range r.notes() {
			notes = append(notes, fmt.Sprintf("%s: %s\n", filepath.ToSlash(r.Dir), p))
		}
	}
	if len(notes) > 0 {
		notes[0] = "\n" + notes[0]
	}
	_, err := io.WriteString(w, strings.Join(notes, "")+"\nbest, last: accuracy on the test images, in percent; losses of the last epoch\n")
	return err
}

// notes are what is to be said of a run: who trains, and what is wrong.
func (r *Run) notes() (notes []string) {
	if r.State == Running {
		note := "running as " + r.Holder
		if s := r.LastStep; s != nil {
			note += fmt.Sprintf(", at step %s of epoch %d", count(s.Step), s.Epoch)
		}
		notes = append(notes, note)
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
		if err := table(w, r.epochs()...); err != nil {
			return err
		}
	}
	for _, e := range r.Log.Epochs {
		if e.Warning != "" {
			fmt.Fprintf(w, "epoch %d: %s\n", e.Epoch, legible.Line(e.Warning))
		}
	}
	return section(w, "results", r.results())
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
	return table(w, cells...)
}

// epochs is the table of the epochs. Columns that no epoch has are left out.
func (r *Run) epochs() [][]string {
	l := &r.Log
	heads := []string{"epoch", "train loss", "validation loss", "validation accuracy (%)", "test loss", "test accuracy (%)", "macro-F1 (%)", "learning rate", "time", "images/s", ""}
	rows := make([][]string, len(l.Epochs)+1)
	best := l.Best()
	for i := range l.Epochs {
		e := &l.Epochs[i]
		cells := []string{count(e.Epoch), loss(&e.TrainLoss), "", "", loss(&e.Test.Loss), percent(&e.Test.Accuracy), percent(&e.Test.MacroF1),
			number(l.learningRate(e)), duration(e.Seconds), speed(l.imagesPerSecond(e)), ""}
		if v := e.Validation; v != nil {
			cells[2], cells[3] = loss(&v.Loss), percent(&v.Accuracy)
		}
		if e == best {
			cells[len(cells)-1] = "best"
		}
		rows[i+1] = cells
	}
	rows[0] = heads
	for k := len(heads) - 2; k >= 0; k-- {
		if filled(rows[1:], k) {
			continue
		}
		for i := range rows {
			rows[i] = slices.Delete(rows[i], k, k+1)
		}
	}
	return rows
}

// filled reports whether a row has something in a column.
func filled(rows [][]string, column int) bool {
	return slices.ContainsFunc(rows, func(cells []string) bool { return cells[column] != "" })
}

// Write writes the comparison as a table with a column for each run.
func (c *Comparison) Write(w io.Writer) error {
	head := []string{"  "}
	for _, r := range c.Runs {
		head = append(head, r.Name)
	}
	rows := [][]string{head, {"settings that differ"}}
	if len(c.Settings) == 0 {
		rows[1] = []string{"settings: all the same, as far as the logs tell"}
	}
	for _, row := range c.Settings {
		rows = append(rows, append([]string{"  " + row.Name}, row.Values...))
	}
	rows = append(rows, []string{"results"})
	for _, row := range c.results {
		rows = append(rows, append([]string{"  " + row.Name}, row.Values...))
	}
	return table(w, rows...)
}

func row(name, value string) Row { return Row{name, []string{value}} }

// count writes a whole number in groups of three digits, and 0 as "".
func count(n int) string {
	if n == 0 {
		return ""
	}
	s := strconv.Itoa(n)
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

// moment writes a time of RFC 3339 to the minute, and anything else as it is.
func moment(s string) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return s
	}
	return t.Format("2006-01-02 15:04")
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
