package board_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/camlab-go/camlab/camlib/board"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/metric"
)

// handBoard is two methods and a baseline, by hand.
func handBoard() *board.Board {
	e := func(v float64) *metric.Estimate {
		return &metric.Estimate{Mean: v, Low: v - 0.1, High: v + 0.1, N: 7}
	}
	return &board.Board{
		Images: 7, Seed: 1,
		Columns: []board.Column{
			{Name: "deletion", Better: "lower", Meaning: "what is left", N: 7, Ranked: true},
			{Name: "grid-pointing", Better: "higher", Meaning: "in its cell", N: 7, Ranked: true},
		},
		Rows: []board.Row{
			{Name: "cam", Milliseconds: 1.234, Rank: 1, Cells: []*metric.Estimate{e(0.25), e(0.5)}},
			{Name: "rise", Setting: "64 masks", Milliseconds: 100, Rank: 2, Cells: []*metric.Estimate{e(0.5), nil}},
			{Name: "edge", Baseline: true, Rank: 3, Cells: []*metric.Estimate{e(0.125), e(0.75)}},
		},
	}
}

func TestBoardAsText(t *testing.T) {
	var md, sheet, file bytes.Buffer
	if err := handBoard().Markdown(&md); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| method | rank | ms | deletion ↓ |\n|---|---|---|---|\n| cam | 1.0 | 1.23 | **0.25** [0.15, 0.35] |\n| rise (64 masks) | 2.0 | 100 | 0.5 [0.4, 0.6] |\n| *edge* | 3.0 | – | 0.125 [0.025, 0.225] |\n",
		"| rise (64 masks) | 2.0 | 100 | – |\n", "- deletion: what is left; lower is better; n = 7\n",
	} {
		if !strings.Contains(md.String(), want) {
			t.Errorf("Markdown lacks %q:\n%s", want, md.String())
		}
	}
	if err := handBoard().CSV(&sheet); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&sheet).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"rise", "64 masks", "false", "", "2", "100", "deletion", "lower", "7", "0.5", "0.4", "0.6"}, lines[3]); diff != "" || len(lines) != 6 {
		t.Errorf("CSV of %d lines (-want +got):\n%s", len(lines), diff)
	}
	if err := handBoard().JSON(&file); err != nil {
		t.Fatal(err)
	}
	text := file.String()
	back, err := board.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(handBoard(), back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if _, err := board.Read(strings.NewReader(strings.Replace(text, "null", "null, null", 1))); err == nil || err.Error() != "board: read: rise has 3 cells, want 2, one for each column" {
		t.Errorf("a cell too many: error %v", err)
	}
	if _, err := board.NewBoard(t.Context(), nil, nil, cifar10.Sample(), board.Options{Images: -1}); err == nil || err.Error() != "board: -1 images, 0 again, 0 mosaics, want 0 or more" {
		t.Errorf("error %v, want one that names the images", err)
	}
}

// TestRankSharesTies: rows with equal means share the mean of their ranks, a row that is
// the same as another is not counted and has that one's rank, and unranked columns and
// empty cells count for nobody.
func TestRankSharesTies(t *testing.T) {
	cells := func(means ...float64) (row []*metric.Estimate) {
		for _, m := range means {
			if m < 0 {
				row = append(row, nil)
			} else {
				row = append(row, &metric.Estimate{Mean: m})
			}
		}
		return row
	}
	const none = -1
	b := &board.Board{
		Columns: []board.Column{{Name: "up", Better: "higher", Ranked: true}, {Name: "down", Better: "lower", Ranked: true}, {Name: "no", Better: "higher"}},
		Rows: []board.Row{
			{Name: "a", Cells: cells(1, 5, 0)},    // 4th of 4; 5 is last of 3: (4+3)/2
			{Name: "b", Cells: cells(3, 2, 9)},    // ties with c for 2nd and 3rd: 2.5; ties with d for 1st and 2nd: 1.5
			{Name: "c", Cells: cells(3, none, 0)}, // 2.5 alone
			{Name: "b again", SameAs: "b", Cells: cells(3, 2, 9)},
			{Name: "d", Cells: cells(7, 2, 1)}, // 1 and 1.5
		},
	}
	board.Rank(b)
	var got []string
	for _, r := range b.Rows {
		got = append(got, r.Name+" "+fmt.Sprint(r.Rank))
	}
	if want := []string{"d 1.25", "b 2", "b again 2", "c 2.5", "a 3.5"}; !slices.Equal(got, want) {
		t.Errorf("ranks %v, want %v", got, want)
	}
}

// TestTies: the best of a column is bold in every row that has it, and baselines never are.
func TestTies(t *testing.T) {
	b := handBoard()
	b.Rows = append(b.Rows, board.Row{Name: "gradcam", Rank: 1.5, Milliseconds: 2, Cells: []*metric.Estimate{{Mean: 0.25, Low: 0.2, High: 0.3}, {Mean: 0.4, Low: 0.3, High: 0.5}}})
	var md bytes.Buffer
	if err := b.Markdown(&md); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| cam | 1.0 | 1.23 | **0.25** [0.15, 0.35] |", "| gradcam | 1.5 | 2 | **0.25** [0.2, 0.3] |", "| *edge* | 3.0 | – | 0.125 [0.025, 0.225] |", "| *edge* | 3.0 | – | 0.75 ["} {
		if !strings.Contains(md.String(), want) {
			t.Errorf("Markdown lacks %q:\n%s", want, md.String())
		}
	}
}

// TestTablesAreTheGroups: each column stands in the table of its metric's group; details in
// none, and those of a metric that is not known here in one of their own.
func TestTablesAreTheGroups(t *testing.T) {
	b := &board.Board{}
	for _, name := range []string{"complexity", "road-morf", "from-elsewhere", "blind", "road", "completeness"} {
		b.Columns = append(b.Columns, board.Column{Name: name, Better: "lower"})
	}
	var md bytes.Buffer
	if err := b.Markdown(&md); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(md.String()) {
		if title, ok := strings.CutPrefix(line, "### "); ok {
			got = append(got, strings.TrimSpace(title))
		} else if columns, ok := strings.CutPrefix(line, "| method | rank | ms |"); ok {
			got = append(got, strings.TrimSpace(columns))
		}
	}
	want := []string{
		"Faithful to the network", "road ↓ |", "In the right place", "blind ↓ |",
		"Robust, sane, compact, complete", "complexity ↓ | completeness ↓ |", "Other", "from-elsewhere ↓ |",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}
