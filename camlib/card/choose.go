package card

import "github.com/camlab-go/camlab/camlib/images"

// Choice is what is said of a model's card beside what is in its folder.
type Choice struct {
	File   string      // the card; empty is the one beside the model
	Preset string      // in place of a card
	Anew   bool        // whether a card beside the model is not to be taken
	Size   images.Size // height and width where the model leaves them open; 0 is the card's
}

// Path returns the card's file for a model's file, and whether there is one: that of the
// choice, else the one beside the model, see [Find].
func (o Choice) Path(model string) (path string, ok bool, err error) {
	if o.File != "" || o.Preset != "" || o.Anew {
		return o.File, o.File != "", nil
	}
	return Find(model)
}

// Choose returns the card of a model's file: the one of its [Choice.Path], else a [Guess].
func Choose(model string, in Input, o Choice) (Card, error) {
	for _, side := range []struct {
		what        string
		file, given *int
	}{{"height", &in.Height, &o.Size.Height}, {"width", &in.Width, &o.Size.Width}} {
		if *side.file == 0 {
			*side.file = *side.given
		} else if *side.given != 0 && *side.given != *side.file {
			return Card{}, fail("%s: %d, want %d, which the network's own file has fixed: export it with a dynamic %s for another", side.what, *side.given, *side.file, side.what)
		}
	}
	if o.Preset != "" {
		if o.File != "" {
			return Card{}, fail("a file and a preset, want one of them")
		}
		return Preset(o.Preset, in)
	}
	path, found, err := o.Path(model)
	if err != nil {
		return Card{}, err
	}
	if found {
		return Read(path, in)
	}
	return Guess(in)
}
