package board

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/camlab-go/camlab/camlib/metric"
)

// Column returns the position of a column by its name, −1 if there is none.
func (b *Board) Column(name string) int {
	return slices.IndexFunc(b.Columns, func(c Column) bool { return c.Name == name })
}

// table is the columns of one group, by position.
type table struct {
	title   string
	columns []int
}

// other is the title of what no metric that is known here belongs to.
const other = "Other"

// tables lays the columns out as tables that are not too wide: one for each group, first
// those of camlab, without details.
func (b *Board) tables() []table {
	all := []table{{title: metric.Faithful}, {title: metric.Localized}, {title: metric.Robust}}
	entries := Entries()
	for c, column := range b.Columns {
		group := other
		if i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == column.Name }); i >= 0 {
			if entries[i].Detail {
				continue
			}
			group = cmp.Or(entries[i].Group, other)
		}
		at := slices.IndexFunc(all, func(t table) bool { return t.title == group })
		if at < 0 {
			at, all = len(all), append(all, table{title: group})
		}
		all[at].columns = append(all[at].columns, c)
	}
	return slices.DeleteFunc(all, func(t table) bool { return len(t.columns) == 0 })
}

// Markdown writes the board as tables: means with their 95 % intervals, the best of each
// column bold.
func (b *Board) Markdown(w io.Writer) error {
	var s strings.Builder
	for _, t := range b.tables() {
		fmt.Fprintf(&s, "### %s\n\n", t.title)
		head, rule := "| method | rank | ms |", "|---|---|---|"
		for _, c := range t.columns {
			arrow := "↑"
			if b.Columns[c].Better == metric.Lower.String() {
				arrow = "↓"
			}
			head += fmt.Sprintf(" %s %s |", b.Columns[c].Name, arrow)
			rule += "---|"
		}
		fmt.Fprintf(&s, "%s\n%s\n", head, rule)
		for _, r := range b.Rows {
			fmt.Fprintf(&s, "| %s | %.1f | %s |", r.title(), r.Rank, milliseconds(r))
			for _, c := range t.columns {
				fmt.Fprintf(&s, " %s |", b.cell(r, c))
			}
			s.WriteString("\n")
		}
		s.WriteString("\n")
		for _, c := range t.columns {
			fmt.Fprintf(&s, "- %s: %s; %s is better; n = %d\n", b.Columns[c].Name, b.Columns[c].Meaning, b.Columns[c].Better, b.Columns[c].N)
		}
		s.WriteString("\n")
	}
	_, err := io.WriteString(w, s.String())
	return err
}

func (r Row) title() string {
	name := r.Name
	if r.Baseline {
		name = "*" + name + "*"
	}
	if r.Setting != "" {
		name += " (" + r.Setting + ")"
	}
	if r.SameAs != "" {
		name += " = " + r.SameAs
	}
	return name
}

func milliseconds(r Row) string {
	if r.Baseline {
		return "–"
	}
	return strconv.FormatFloat(r.Milliseconds, 'g', 3, 64)
}

func (b *Board) cell(r Row, column int) string {
	e := r.Cells[column]
	if e == nil {
		return "–"
	}
	mean := fmt.Sprintf("%.3g", e.Mean)
	if b.best(column) == e.Mean {
		mean = "**" + mean + "**"
	}
	return fmt.Sprintf("%s [%.3g, %.3g]", mean, e.Low, e.High)
}

// best returns the best mean of a column among the methods.
func (b *Board) best(column int) (best float64) {
	found := false
	for _, r := range b.Rows {
		e := r.Cells[column]
		if e == nil || r.Baseline {
			continue
		}
		if !found || (e.Mean > best) == (b.Columns[column].Better == metric.Higher.String()) {
			best, found = e.Mean, true
		}
	}
	return best
}

// CSV writes one line for each method and metric.
func (b *Board) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	lines := [][]string{{"method", "setting", "baseline", "same_as", "rank", "milliseconds", "metric", "better", "n", "mean", "low", "high"}}
	for _, r := range b.Rows {
		for k, column := range b.Columns {
			e := r.Cells[k]
			if e == nil {
				continue
			}
			lines = append(lines, []string{
				r.Name, r.Setting, strconv.FormatBool(r.Baseline), r.SameAs, number(r.Rank), number(r.Milliseconds),
				column.Name, column.Better, strconv.Itoa(e.N), number(e.Mean), number(e.Low), number(e.High),
			})
		}
	}
	return c.WriteAll(lines)
}

// JSON writes the board as it is.
func (b *Board) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(b)
}

// Read reads what [Board.JSON] wrote.
func Read(r io.Reader) (*Board, error) {
	var b Board
	if err := json.NewDecoder(r).Decode(&b); err != nil {
		return nil, fmt.Errorf("board: read: %w", err)
	}
	for _, row := range b.Rows {
		if len(row.Cells) != len(b.Columns) {
			return nil, fmt.Errorf("board: read: %s has %d cells, want %d, one for each column", row.Name, len(row.Cells), len(b.Columns))
		}
	}
	return &b, nil
}

// Summary writes a line for each row, the best first: its rank, its name and setting,
// and the milliseconds for one map.
func (b *Board) Summary(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "mean rank\tmethod\tms for a map")
	for _, r := range b.Rows {
		fmt.Fprintf(t, "%.1f\t%s\t%s\n", r.Rank, strings.Trim(r.title(), "*"), milliseconds(r))
	}
	return t.Flush()
}

// Intervals returns the estimates of a column, one for each row, nil where there is none.
func (b *Board) Intervals(column int) []*metric.Estimate {
	all := make([]*metric.Estimate, len(b.Rows))
	for r, row := range b.Rows {
		all[r] = row.Cells[column]
	}
	return all
}
