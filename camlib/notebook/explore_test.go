package notebook

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/internal/backendtest"
)

func testExplorer(t *testing.T) *explorer {
	t.Helper()
	network, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	model, err := camlib.New(network, backendtest.Any(t))
	if err != nil {
		t.Fatal(err)
	}
	// Of two sizes: the images of an explorer are explained one by one.
	small := cifar10.Sample().Image(5)
	e, err := newExplorer(model, []image.Image{small, images.Square(small, 64)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExplorerSaysWhatThePictureShows(t *testing.T) {
	e := testExplorer(t)
	maps, err := e.model.Explain("cam", "predicted", e.images[0])
	if err != nil {
		t.Fatal(err)
	}
	frog, dog := maps.Scores[6], maps.Scores[5]
	if e.guess[0] != 6 {
		t.Fatalf("image 0 is taken for %s, want frog", e.classes[e.guess[0]])
	}
	for _, test := range []struct {
		name string
		q    question
		want []string
		not  string
	}{
		{"predicted", question{Class: "predicted", Method: "cam"}, []string{
			fmt.Sprintf("<b>frog</b>: score %+.2f, probability %.3f", frog, score.Softmax(maps.Scores)[6]), "Red spoke for <b>frog</b>, blue against it"}, "network says"},
		{"another class", question{Class: "dog", Method: "cam"}, []string{
			fmt.Sprintf("<b>dog</b>: score %+.2f", dog), "the network says <b>frog</b>", "Red spoke for <b>dog</b>"}, "difference"},
		{"contrast", question{Class: "dog", Rival: "frog", Method: "cam"}, []string{
			fmt.Sprintf("the map explains the difference, %+.2f", dog-frog), "Red spoke for <b>dog</b>, blue for <b>frog</b>"}, ""},
		{"without signs", question{Class: "dog", Method: "gradcam"}, []string{"Yellow spoke for <b>dog</b>", "gradcam shows nothing that spoke against it"}, "Red"},
	} {
		test.q.Opacity = 50
		a, err := e.answer(test.q)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		for _, want := range test.want {
			if !strings.Contains(a.html, want) {
				t.Errorf("%s: %q, want %q in it", test.name, a.html, want)
			}
		}
		if test.not != "" && strings.Contains(a.html, test.not) {
			t.Errorf("%s: %q, want no %q in it", test.name, a.html, test.not)
		}
		if _, err := png.Decode(bytes.NewReader(a.png)); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestExplorerPictureFollows is that every control changes the picture.
func TestExplorerPictureFollows(t *testing.T) {
	e := testExplorer(t)
	start := question{Class: "predicted", Method: "cam", Opacity: 50}
	seen := map[string]string{}
	for name, change := range map[string]func(q *question){
		"start":   func(*question) {},
		"image":   func(q *question) { q.Image = 1 },
		"class":   func(q *question) { q.Class = "dog" },
		"rival":   func(q *question) { q.Rival = "dog" },
		"method":  func(q *question) { q.Method = "gradcam" },
		"opacity": func(q *question) { q.Opacity = 100 },
	} {
		q := start
		change(&q)
		a, err := e.answer(q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if other, ok := seen[string(a.png)]; ok {
			t.Errorf("%s and %s have the same picture", name, other)
		}
		seen[string(a.png)] = name
	}
}

func TestExplorerSaysWhatIsWrong(t *testing.T) {
	e := testExplorer(t)
	for _, test := range []struct {
		q    question
		want string
	}{
		{question{Image: 2, Class: "predicted", Method: "cam"}, "notebook: explore: image 2, want 0 to 1"},
		{question{Class: "frog", Rival: "frog", Method: "cam"}, "contrast of class 6 with itself"},
		{question{Class: "frog", Method: "crystal ball"}, `method "crystal ball", want one of`},
		{question{Class: "frog", Method: "cam", Opacity: 200}, "opacity 2, want 0 to 1"},
	} {
		if _, err := e.answer(test.q); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v, want %q", test.q, err, test.want)
		}
	}
	if _, err := newExplorer(e.model, nil); err == nil || err.Error() != "notebook: explore: no images, want at least one" {
		t.Errorf("no images: error %v", err)
	}
}

func TestExplorerControls(t *testing.T) {
	form := testExplorer(t).controls("form_1", "/here")
	for _, want := range []string{`<option value="0">1: frog</option>`, `<option value="dog">dog</option>`, `<option value="gradcam">gradcam</option>`, `send("/here"`, `<form id="form_1"`} {
		if !strings.Contains(form, want) {
			t.Errorf("no %s in the form", want)
		}
	}
	if strings.Contains(form, "{{") {
		t.Errorf("a place of the form is not filled in:\n%s", form)
	}
}
