// Package notebook shows camlib's results in the output of a notebook's cell:
// pictures and trainings that can be watched. An error ends the cell. Outside a
// notebook, pictures are not shown and progress is plain lines.
//
// The last expression of a cell shows itself, by what this package tells package
// live about camlib's values. Show is for pictures in the middle of a cell, and takes
// the two results of a call as they are:
//
//	notebook.Show(pair.Draw())
package notebook

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"image"
	_ "image/png" // for the size of one without a description
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/notebook/live"
)

// Quick tells whether CAMLAB_QUICK=1 is set: the notebook is to take the
// embedded sample and a short training, so that it runs in a minute or two.
func Quick() bool { return os.Getenv("CAMLAB_QUICK") == "1" }

// Scratch returns a folder for files that a notebook makes on its way. It goes when
// the kernel does. Outside a notebook it is a folder of the system's temporary one.
func Scratch() string {
	dir := filepath.Join(cmp.Or(os.Getenv(protocol.GONB_TMP_DIR_ENV), os.TempDir()), "camlab-scratch")
	Check(os.MkdirAll(dir, 0o700))
	return dir
}

// Check ends the cell when err is not nil: with a line on its error output where a
// cell is a program of its own, or as its error where it is not.
func Check(err error) {
	if err != nil {
		if live.Running() {
			live.Fail(err)
		}
		fmt.Fprintln(os.Stderr, err)
		if gonbui.IsNotebook {
			deliver(gonbui.Sync)
		}
		os.Exit(1)
	}
}

// Must returns v, or ends the cell as [Check] does.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Show displays a picture with its alternative text, or ends the cell as [Check]
// does: it takes a picture, or what a function returns that makes one. Pictures of
// package figure bring a text that says what they show; for others give one with
// [ShowAlt].
func Show(img image.Image, errs ...error) {
	Check(errors.Join(errs...))
	ShowPNG(figure.PNGBytes(img))
}

// ShowAlt displays a picture with an alternative text of the caller's: what it
// shows, for a reader who does not see it.
func ShowAlt(img image.Image, alt string) { Show(figure.Describe(img, alt)) }

// kernel is the process that started the cell's program.
var kernel = os.Getppid()

// deliver runs send, which waits until the kernel has taken what is sent. Where the
// kernel is gone, as when Jupyter's server ended, nobody will, and the cell's program
// would wait for ever: deliver returns without it.
func deliver(send func()) {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		send()
	}()
	for {
		select {
		case <-sent:
			return
		case <-time.After(time.Second):
			if os.Getppid() != kernel {
				return
			}
		}
	}
}

// ShowPNG displays the contents of a PNG file, or ends the cell as [Check] does.
// The Description in it is the alternative text.
func ShowPNG(png []byte, err error) {
	Check(err)
	if gonbui.IsNotebook {
		deliver(func() {
			gonbui.SendData(live.Picture(png))
			gonbui.Sync() // or the picture is lost when the cell ends here
		})
	}
}

// inlineImage is a picture as an HTML element that needs no file.
func inlineImage(mime string, data []byte) string {
	return fmt.Sprintf(`<img alt="%s" src="data:%s;base64,%s">`,
		html.EscapeString(alternative(mime, data)), mime, base64.StdEncoding.EncodeToString(data))
}

var svgTitle = regexp.MustCompile(`(?s)<title>(.*?)</title>`)

// alternative returns the alternative text that a PNG or SVG file brings with it,
// or the picture's size.
func alternative(mime string, data []byte) string {
	if title := svgTitle.FindSubmatch(data); title != nil && mime == string(protocol.MIMEImageSVG) {
		return html.UnescapeString(string(title[1]))
	}
	return live.Alt(data)
}
