package web

import (
	"os"
	"testing"
)

// TestPictures makes the pictures of the page that the README shows, in the folder that VIZ_PICTURES names; see
// docs/pictures.sh.
func TestPictures(t *testing.T) {
	dir := os.Getenv("VIZ_PICTURES")
	if dir == "" {
		t.Skip("VIZ_PICTURES names no folder: no pictures are made")
	}
	t.Setenv("VIZ_SCREENS", dir)
	_, server := testServer(t, nil)
	p := browse(t, server.URL)
	p.open("?view=occlude&image=3&patch=9&stride=2&y=12&x=14")
	p.has("#spot", "Patch at row")
	p.shoot("serve-occlude", screens[0])
	p.open("?view=layer&image=3&layer=3")
	p.until("the unit", "document.querySelectorAll('.pair figure').length == 3")
	p.shoot("serve-layer", screens[0])
}
