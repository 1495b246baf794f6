// Package truth compares maps with what is known to be right: masks of where a thing is
// ([Truth]), images of four classes in one ([NewMosaics], the grid pointing game),
// networks with a reason that was planted in them ([WithTrigger]), and networks that
// cannot see a region ([Blind]).
//
// [Pointing], [Energy], [MaxBoxAcc], [GridPointing] and [BlindShare] take a [cam.Result]
// and give one value for each map; package metric draws intervals around their means.
//
// Errors match [ErrTruth] under [errors.Is] where a caller can act on them.
package truth
