package notebook

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"image"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/comms"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/score"
)

// NoBrowser is the environment variable that tells [Explore] at once that nobody
// sits before the notebook. `camlab notebook` sets it to 1.
const NoBrowser = "CAMLAB_NO_BROWSER"

// How often and how long Explore waits for the browser's first word, and how long
// for its next. A busy machine can miss GoNB's own limits, 3 s for the connection
// and in it 0.5 s for the browser, and is asked again. The form speaks every few
// seconds, once a minute where its tab is in the background: after silenceTime the
// browser is gone and could not say so.
const (
	connectTries = 4
	connectTime  = 4 * time.Second
	silenceTime  = 5 * time.Minute
)

// Explore shows the maps of some images with controls beside them: image, class,
// "but not" another class, method and opacity. The picture follows while the cell
// runs. The button Done or interrupting the cell ends it, and what was seen last
// stays as a picture. It ends too when nobody can see it any more: its cell is
// deleted or run again, its output cleared, the notebook closed, the page loaded
// anew or, five minutes later, the browser gone. Where no browser answers
// (nbconvert, VS Code, GitHub) the first picture is all there is.
func Explore(model *camlib.Model, images ...image.Image) {
	e, err := newExplorer(model, images)
	Check(err)
	q := question{Class: "predicted", Method: cam.CAM{}.Spec().Name, Opacity: 50}
	a, err := e.answer(q)
	Check(err)
	if gonbui.IsNotebook && os.Getenv(NoBrowser) != "1" {
		a = e.talk(a)
	}
	a.keep()
}

// explorer answers questions about images.
type explorer struct {
	model   *camlib.Model
	images  []image.Image
	classes []string
	guess   []int // predicted class of each image
}

// question is what the controls say. A form says it when it changes and as a sign
// of life.
type question struct {
	Image   int    `json:"image"`
	Class   string `json:"class"` // a name, or "predicted"
	Rival   string `json:"rival"` // a name, or ""
	Method  string `json:"method"`
	Opacity int    `json:"opacity"` // in percent
}

// message is what a form sends. The browser numbers them, because GoNB may deliver
// two in the wrong order.
type message struct {
	question
	Number int64  `json:"number"`
	Asked  int64  `json:"asked"` // when a control changed last, another at each change
	View   string `json:"view"`  // of the form: the page may show it twice
	Heard  bool   `json:"heard"` // the view has seen an answer
	Done   bool   `json:"done"`  // end all
	Gone   bool   `json:"gone"`  // end this view
}

// answer is what a question is answered with: words and a picture.
type answer struct {
	html string
	png  []byte
}

func newExplorer(model *camlib.Model, images []image.Image) (*explorer, error) {
	e := &explorer{model: model, images: images}
	for i, img := range images { // one by one: they may differ in size
		maps, err := model.Explain(cam.CAM{}.Spec().Name, "predicted", img)
		if err != nil {
			return nil, fmt.Errorf("notebook: explore: image %d: %w", i, err)
		}
		e.guess, e.classes = append(e.guess, maps.Predicted[0]), model.Classes(maps.NumClasses)
	}
	if len(images) == 0 {
		return nil, errors.New("notebook: explore: no images, want at least one")
	}
	return e, nil
}

func (e *explorer) answer(q question) (answer, error) {
	if q.Image < 0 || q.Image >= len(e.images) {
		return answer{}, fmt.Errorf("notebook: explore: image %d, want 0 to %d", q.Image, len(e.images)-1)
	}
	class := q.Class
	if class == "predicted" {
		class = e.classes[e.guess[q.Image]]
	}
	asked := class
	if q.Rival != "" {
		asked += " not " + q.Rival
	}
	maps, err := e.model.Explain(q.Method, asked, e.images[q.Image])
	if err != nil {
		return answer{}, err
	}
	maps.Opacity = float64(q.Opacity) / 100
	picture, err := maps.Picture()
	if err != nil {
		return answer{}, err
	}
	png, err := figure.PNGBytes(picture)
	return answer{e.words(maps), png}, err
}

// words says what the picture shows: the score, the probabilities and the colors.
func (e *explorer) words(maps *camlib.Maps) string {
	scores, c := maps.Scores, maps.Class[0]
	p := score.Softmax(scores)
	name := func(c int) string { return "<b>" + html.EscapeString(e.classes[c]) + "</b>" }
	var b strings.Builder
	fmt.Fprintf(&b, "%s: score %+.2f, probability %.3f", name(c), scores[c], p[c])
	if maps.Rival != nil {
		r := maps.Rival[0]
		fmt.Fprintf(&b, "; %s: score %+.2f, probability %.3f; the map explains the difference, %+.2f", name(r), scores[r], p[r], scores[c]-scores[r])
	}
	if g := maps.Predicted[0]; g != c {
		fmt.Fprintf(&b, "; the network says %s, probability %.3f", name(g), p[g])
	}
	method, err := cam.Lookup(maps.Method)
	switch {
	case err == nil && method.Spec().Signed && maps.Rival != nil:
		fmt.Fprintf(&b, ".<br>Red spoke for %s, blue for %s, gray for neither.", name(c), name(maps.Rival[0]))
	case err == nil && method.Spec().Signed:
		fmt.Fprintf(&b, ".<br>Red spoke for %s, blue against it, gray neither way.", name(c))
	default:
		fmt.Fprintf(&b, ".<br>Yellow spoke for %s; %s shows nothing that spoke against it.", name(c), html.EscapeString(maps.Method))
	}
	if maps.Note != "" {
		fmt.Fprintf(&b, "<br>%s.", html.EscapeString(maps.Note))
	}
	return b.String()
}

//go:embed explore.html
var controls string

// talk shows the controls and answers until the reader has done, and returns the
// last answer. Where no browser speaks up it takes the controls away again.
func (e *explorer) talk(first answer) answer {
	address := "/camlab/explore/" + gonbui.UniqueId()
	form, output := "explore_"+gonbui.UniqueId(), "explored_"+gonbui.UniqueId()
	messages, over := make(chan message), make(chan struct{})
	defer close(over)
	comms.Subscribe(address, func(_, text string) {
		var m message
		if json.Unmarshal([]byte(text), &m) != nil {
			return // not from our controls
		}
		select {
		case messages <- m:
		case <-over:
		}
	})
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	id := "camlab_" + gonbui.UniqueId()
	gonbui.UpdateHTML(form, e.controls(id, address))
	gonbui.UpdateHTML(output, first.inline())
	defer func() {
		gonbui.UpdateHTML(form, "")
		gonbui.UpdateHTML(output, "")
		// The cell gets an interrupt twice, from Jupyter and from GoNB: the second
		// must not end it before the last answer is kept.
		time.AfterFunc(time.Second, func() { signal.Stop(interrupt) })
	}()

	last, tries := first, 1
	var newest, answered message
	views := map[string]bool{} // that show the answers
	patience := time.NewTimer(connectTime)
	for {
		select {
		case m := <-messages:
			patience.Reset(silenceTime)
			for more := true; more; { // of what waits, the newest counts
				if m.Heard {
					views[m.View] = true
				}
				if m.Gone {
					delete(views, m.View)
				} else if m.Number > newest.Number {
					newest = m
				}
				if m.Done || m.Gone && len(views) == 0 {
					return last
				}
				select {
				case m = <-messages:
				default:
					more = false
				}
			}
			if newest.question == answered.question && newest.View == answered.View && newest.Asked == answered.Asked {
				continue // a sign of life
			}
			answered = newest
			a, err := e.answer(newest.question)
			text := a.inline()
			if err != nil {
				text = `<p style="color:#b00020">` + html.EscapeString(err.Error()) + "</p>" + last.inline()
			} else {
				last = a
			}
			// Tells the form that it is heard.
			gonbui.UpdateHTML(output, fmt.Sprintf(`<div data-explore=%q data-view=%q data-asked="%d">%s</div>`,
				id, html.EscapeString(newest.View), newest.Asked, text))
		case <-interrupt:
			return last
		case <-patience.C:
			if newest.Number > 0 || tries == connectTries {
				return last
			}
			tries++
			comms.Start()
			patience.Reset(connectTime)
		}
	}
}

// controls is the form, filled in.
func (e *explorer) controls(id, address string) string {
	option := func(value, text string) string {
		return fmt.Sprintf("<option value=%q>%s</option>", html.EscapeString(value), html.EscapeString(text))
	}
	var images, classes, methods strings.Builder
	for i, g := range e.guess {
		images.WriteString(option(fmt.Sprint(i), fmt.Sprintf("%d: %s", i+1, e.classes[g])))
	}
	for _, c := range e.classes {
		classes.WriteString(option(c, c))
	}
	for _, m := range cam.MethodsFor(e.model.Network) {
		methods.WriteString(option(m.Spec().Name, m.Spec().Name))
	}
	return strings.NewReplacer("{{id}}", id, "{{address}}", address,
		"{{images}}", images.String(), "{{classes}}", classes.String(), "{{methods}}", methods.String()).Replace(controls)
}

// inline is the answer in one output that can be replaced.
func (a answer) inline() string { return "<p>" + a.html + "</p>" + inlineImage("image/png", a.png) }

// keep leaves the answer in the saved notebook.
func (a answer) keep() {
	if gonbui.IsNotebook {
		gonbui.DisplayHTML("<p>" + a.html + "</p>")
	}
	ShowPNG(a.png, nil)
}
