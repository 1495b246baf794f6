package notebook

import (
	"context"
	"fmt"
	"html"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/gomlx/gomlx/backends"
	"github.com/janpfeifer/gonb/gonbui"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/cnn"
	"github.com/camlab-go/camlab/camlib/figure/curve"
)

// Train is [cnn.Train] with a progress bar and with cost and F1 curves that grow
// while it runs. The curves of the last epoch stay, as pictures that need no
// network. Interrupting the cell saves the checkpoint and says how to go on.
func Train(backend backends.Backend, m *cnn.Model, train, test *cifar10.Dataset, config cnn.TrainConfig) *cnn.History {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	w := &watch{id: gonbui.UniqueId()}
	config.OnStep, config.OnEpoch = w.step, w.epoch
	history, err := cnn.Train(ctx, backend, m, train, test, config)
	w.end()
	Check(err)
	return history
}

// Curves displays the cost and the F1 curves of a training.
func Curves(h *cnn.History) {
	cost, f1 := charts(h.Epochs)
	ShowPNG(cost.PNG())
	ShowPNG(f1.PNG())
}

// Compare displays the curves of several trainings in the same two charts: the
// test cost of each, with its train cost thin in the same colour, and the macro-F1.
// names[i] is the name of histories[i].
func Compare(names []string, histories []*cnn.History) {
	cost, f1, err := comparison(names, histories)
	Check(err)
	ShowPNG(cost.PNG())
	ShowPNG(f1.PNG())
}

func comparison(names []string, histories []*cnn.History) (cost, f1 curve.Chart, err error) {
	if len(names) != len(histories) {
		return cost, f1, fmt.Errorf("notebook: compare: %d names for %d histories, want one for each", len(names), len(histories))
	}
	cost = curve.Chart{Title: "Cost: on the test images, and thin on the training images", XLabel: "epoch", YLabel: "cost (nats)"}
	f1 = curve.Chart{Title: "Macro-F1 on the test images", XLabel: "epoch", YLabel: "macro-F1", Y: [2]float64{0, 1}}
	for i, h := range histories {
		var train, test, macro []float64
		for _, e := range h.Epochs {
			train, test, macro = append(train, e.TrainCost), append(test, e.Test.Cost), append(macro, e.Test.MacroF1)
		}
		c := curve.Color(i)
		cost.Series = append(cost.Series, curve.Series{Name: names[i], Y: test, Color: c, Width: 2.5}, curve.Series{Name: names[i] + ", train", Y: train, Color: c, Width: 0.8})
		f1.Series = append(f1.Series, curve.Series{Name: names[i], Y: macro, Color: c, Width: 2.5})
	}
	return cost, f1, nil
}

// charts returns the article's two figures for the epochs so far.
func charts(epochs []cnn.Epoch) (cost, f1 curve.Chart) {
	var train, test, macro []float64
	var classes []string
	var perClass [][]float64
	for _, e := range epochs {
		train, test, macro = append(train, e.TrainCost), append(test, e.Test.Cost), append(macro, e.Test.MacroF1)
		for k, s := range e.Test.PerClass {
			if k == len(classes) {
				classes, perClass = append(classes, s.Class), append(perClass, nil)
			}
			perClass[k] = append(perClass[k], s.F1)
		}
	}
	return curve.Cost(train, test), curve.F1(macro, classes, perClass)
}

// watch is the output of a running training: one HTML output that is replaced
// as it goes on.
type watch struct {
	id       string
	epochs   []cnn.Epoch
	pictures string // the curves so far, as HTML
	shown    time.Time
}

func (w *watch) step(p cnn.Progress) {
	if time.Since(w.shown) < time.Second && p.Step < p.Steps {
		return
	}
	w.shown = time.Now()
	line := fmt.Sprintf("epoch %d of %d · step %d of %d · cost %.4f · %.0f images/s · %s left",
		p.Epoch, p.Epochs, p.Step, p.Steps, p.Cost, p.ImagesPerSecond, p.Remaining.Round(time.Second))
	part := (float64(p.Epoch-1) + float64(p.Step)/float64(p.Steps)) / float64(p.Epochs)
	w.update(fmt.Sprintf(`<progress value="%.4f" max="1" style="width:22em"></progress> %s%s`, part, html.EscapeString(line), w.pictures))
}

func (w *watch) epoch(e cnn.Epoch) {
	w.epochs = append(w.epochs, e)
	if !gonbui.IsNotebook {
		fmt.Println(summary(e))
		return
	}
	cost, f1 := charts(w.epochs)
	var b strings.Builder
	for _, c := range []curve.Chart{cost, f1} {
		if svg, err := c.SVG(); err == nil { // a curve that cannot be drawn must not stop a training
			b.WriteString("<br>" + inlineImage("image/svg+xml", svg))
		}
	}
	w.pictures = b.String()
}

// end leaves a line in place of the bar and the curves as pictures below.
func (w *watch) end() {
	if len(w.epochs) == 0 {
		w.update("no epoch finished")
		return
	}
	w.update(html.EscapeString(summary(w.epochs[len(w.epochs)-1])))
	Curves(&cnn.History{Epochs: w.epochs})
}

func (w *watch) update(content string) {
	if gonbui.IsNotebook {
		gonbui.UpdateHTML(w.id, content)
	}
}

func summary(e cnn.Epoch) string {
	return fmt.Sprintf("epoch %d: train cost %.4f, test cost %.4f, accuracy %.4f, macro-F1 %.4f",
		e.Epoch, e.TrainCost, e.Test.Cost, e.Test.Accuracy, e.Test.MacroF1)
}
