package board_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/board"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestBoard is a small board of the shipped model: its cells are what the metrics say of
// their own, methods that are the same share them, and the rows are ranked.
func TestBoard(t *testing.T) {
	b := backendtest.XLA(t)
	net, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	var methods []cam.Method
	for _, name := range []string{"cam", "gradcam", "xgradcam", "hirescam", "occlusion"} {
		m, err := cam.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		methods = append(methods, m)
	}
	var said []string
	board, err := board.NewBoard(t.Context(), b, net, cifar10.Sample(), board.Options{
		Methods: methods, Images: 12, Again: 4, Mosaics: 3, Seed: 5,
		Progress: func(done, all int, what string) { said = append(said, what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cam", "gradcam", "xgradcam", "hirescam", "occlusion", "random", "centre", "edge", "uniform"}, said); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	part, err := board.NewBoard(ctx, b, net, cifar10.Sample(), board.Options{
		Methods: methods[1:], Images: 2, Again: 1, Mosaics: 1,
		Progress: func(done, _ int, _ string) {
			if done == 1 {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) || len(part.Rows) != 1 || part.Rows[0].Name != "gradcam" || part.Rows[0].Rank != 1 {
		t.Errorf("stopped in the second row: error %v, rows %+v, want the first row and the context's error", err, part.Rows)
	}
	rows := make(map[string]board.Row)
	for i, r := range board.Rows {
		rows[r.Name] = r
		if len(r.Cells) != len(board.Columns) {
			t.Fatalf("%s: %d cells for %d columns", r.Name, len(r.Cells), len(board.Columns))
		}
		if i > 0 && r.Rank < board.Rows[i-1].Rank {
			t.Errorf("%s has rank %v after %v", r.Name, r.Rank, board.Rows[i-1].Rank)
		}
	}
	if x, h := rows["xgradcam"], rows["hirescam"]; x.SameAs != "gradcam" || h.SameAs != "cam" || rows["gradcam"].SameAs != "" || rows["occlusion"].SameAs != "" {
		t.Errorf("xgradcam = %q, hirescam = %q, want gradcam and cam, and no others", x.SameAs, h.SameAs)
	}
	cell := func(row, column string) *metric.Estimate {
		c := board.Column(column)
		if c < 0 {
			t.Fatalf("no column %q", column)
		}
		return rows[row].Cells[c]
	}
	if diff := cmp.Diff(cell("gradcam", "deletion"), cell("xgradcam", "deletion")); diff != "" || rows["xgradcam"].Rank != rows["gradcam"].Rank {
		t.Errorf("the same maps have other values or ranks: %s", diff)
	}
	for _, empty := range [][2]string{{"cam", "blind"}, {"gradcam", "completeness"}, {"random", "completeness"}} {
		if e := cell(empty[0], empty[1]); e != nil {
			t.Errorf("%s has %s %v, want none", empty[0], empty[1], e)
		}
	}
	for _, name := range []string{"cam", "hirescam"} { // each its own, though the maps are the same
		if e := cell(name, "completeness"); e == nil || e.Mean > 1e-5 || e.N != 12 {
			t.Errorf("%s: completeness %v, want rounding of 12 images", name, e)
		}
	}
	if e := cell("uniform", "grid-pointing"); math.Abs(e.Mean-0.25) > 1e-6 || e.N != 3 {
		t.Errorf("grid pointing of a uniform map: %v, want 0.25 of 3 mosaics", e)
	}
	if e := cell("uniform", "blind"); math.Abs(e.Mean-0.5) > 1e-6 || e.N != 4 {
		t.Errorf("blind share of a uniform map: %v, want 0.5 of 4 images", e)
	}
	if e := cell("cam", "trigger"); e.Mean < 0.5 {
		t.Errorf("trigger of cam: %v, want most of the map there", e)
	}

	// The metrics of their own, with the board's settings.
	meter, err := metric.New(b, net, metric.Options{Steps: 4, Deletion: metric.MeanColor, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	ds, err := cifar10.Sample().Select(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := meter.Prepare(t.Context(), cam.FromDataset(ds), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := cam.New(b, net, cam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Explain(t.Context(), methods[1], subject.Images(), cam.Classes(subject.Classes()...))
	if err != nil {
		t.Fatal(err)
	}
	c, err := subject.Case(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	curves, err := c.Deletion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, err := metric.Bootstrap(curves.AUC(), metric.Resampling{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	got := cell("gradcam", "deletion")
	for _, d := range []float64{got.Mean - want.Mean, got.Low - want.Low, got.High - want.High} {
		if math.Abs(d) > 1e-5 { // batches of other sizes round otherwise
			t.Errorf("deletion of gradcam %v, want %v", got, want)
		}
	}
}

// board is two methods and a baseline, by hand.
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
	if _, err := board.Read(strings.NewReader(strings.Replace(text, "null", "null, null", 1))); err == nil || err.Error() != "board: board: rise has 3 cells, want 2, one for each column" {
		t.Errorf("a cell too many: error %v", err)
	}
	if _, err := board.NewBoard(t.Context(), nil, nil, cifar10.Sample(), board.Options{Images: -1}); err == nil || err.Error() != "board: board: -1 images, 0 again, 0 mosaics, want 0 or more" {
		t.Errorf("error %v, want one that names the images", err)
	}
}

// TestPublished: the board in the tree is of all methods as they are now.
func TestPublished(t *testing.T) {
	b, err := board.Published()
	if err != nil {
		t.Fatal(err)
	}
	if b.Images < 2000 {
		t.Errorf("%d images, want 2,000 or more", b.Images)
	}
	names := map[string]bool{"random": true, "centre": true, "edge": true, "uniform": true}
	for _, m := range cam.Methods() {
		names[m.Name] = true
	}
	for _, r := range b.Rows {
		if !names[r.Name] {
			t.Errorf("row %s, want methods and baselines, each once", r.Name)
		}
		delete(names, r.Name)
		for k, e := range r.Cells {
			if e != nil && !(e.Low <= e.Mean && e.Mean <= e.High && e.N == b.Columns[k].N) {
				t.Errorf("%s, %s: %v, want a mean of %d inside its interval", r.Name, b.Columns[k].Name, e, b.Columns[k].N)
			}
		}
	}
	if len(names) > 0 {
		t.Errorf("rows for %v are missing; `make leaderboard`", names)
	}
	for _, m := range metric.Metrics() {
		if b.Column(m.Name) < 0 {
			t.Errorf("column %s is missing; `make leaderboard`", m.Name)
		}
	}
}
