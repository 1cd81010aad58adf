package policy

// An EmergencyNumber is whom to call where somebody is in danger now. It is no
// rule of a pack, which is dated and signed against: it is shown to whoever
// reports, so that nobody waits for a page.
type EmergencyNumber struct {
	Number string
	For    Text // who answers; empty for a number that the operator gave
	Source Source
}

// emergency are the numbers of each pack's jurisdiction, the first to be called
// first, with where they were read.
var emergency = map[string][]EmergencyNumber{
	"id": {
		{
			"112",
			Text{"semua keadaan darurat; belum di semua daerah", "any emergency; not in every district yet"},
			Source{SourceOfficial, "Kominfo: layanan 112, Permenkominfo 10/2016; DJPPI, 14 October 2023: districts that have it", "layanan112.kominfo.go.id/alur; djppi.kominfo.go.id"},
		},
		{
			"110",
			Text{"polisi", "police"},
			Source{SourcePress, "Republika on 112 and the numbers before it, 29 April 2016", "republika.co.id/berita/koran/kesra/16/04/29/o6dso610"},
		},
	},
	"eu-tco": {
		{
			"112",
			Text{"semua keadaan darurat", "any emergency"},
			Source{SourceOfficial, "European Commission on the single European emergency number", "ec.europa.eu/information_society/activities/112"},
		},
	},
}

// EmergencyNumbers returns the numbers of a jurisdiction, by the code of its
// pack, the first to be called first; none where none is known.
func EmergencyNumbers(jurisdiction string) []EmergencyNumber { return emergency[jurisdiction] }
