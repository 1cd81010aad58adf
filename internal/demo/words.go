package demo

import (
	"fmt"
	"math/rand/v2"

	"github.com/tangkal/tangkal/internal/report"
	"github.com/tangkal/tangkal/notes"
)

// A theme is one kind of matter: what reporters claim, what the analyst finds.
// Its texts describe invented content in general words and quote nothing.
type theme struct {
	category report.Category
	ground   notes.Ground
	function notes.Function
	tier     notes.Tier
	tell     []string // what reporters write
	finding  string   // why the ground is met
	reasons  [2]string
}

var themes = []theme{
	{
		report.Recruitment, notes.GroundSolicitGroup, notes.FunctionRecruitment, notes.TierPromotional,
		[]string{
			"Video ini mengajak penonton ikut kelompok rekaan lewat saluran tertutup.",
			"Akun ini terus mengirim undangan bergabung di kolom komentar.",
			"A stranger sent my nephew this invitation to join a made-up group.",
		},
		"Menit 00.37 mengajak penonton bergabung dan menyebut cara menghubungi.",
		[2]string{
			"Konten mengajak khalayak ikut kegiatan Kelompok Rekaan A. Ajakan disebut dua kali dan disertai cara bergabung.",
			"The content solicits the public to take part in the activities of Invented Group A. The call is made twice and says how to join.",
		},
	},
	{
		report.Incitement, notes.GroundIncite, notes.FunctionPropaganda, notes.TierPromotional,
		[]string{
			"Poster ini memuji serangan rekaan dan meminta orang menirunya.",
			"Unggahan ini merayakan kekerasan dan sudah dibagikan berkali-kali.",
			"This post praises an invented attack and asks others to do the same.",
		},
		"Teks memuji serangan rekaan dan menyerukan agar ditiru, sehingga menimbulkan bahaya.",
		[2]string{
			"Konten memuji serangan oleh Kelompok Rekaan B dan menyerukan agar diulang.",
			"The content praises an attack by Invented Group B and calls for it to be repeated.",
		},
	},
	{
		report.Financing, notes.GroundSolicitGroup, notes.FunctionFinancing, notes.TierDesignation,
		[]string{
			"Saluran ini mengumpulkan uang dengan alasan amal, padahal untuk kelompok rekaan.",
			"Ada nomor rekening di gambar ketiga, minta sumbangan.",
		},
		"Gambar ketiga meminta sumbangan untuk kelompok rekaan dan menampilkan nomor tujuan.",
		[2]string{
			"Konten meminta dana bagi Kelompok Rekaan C dan menyebut tujuan pengiriman.",
			"The content asks for funds for Invented Group C and names where to send them.",
		},
	},
	{
		report.Instructions, notes.GroundInstruct, notes.FunctionTraining, notes.TierDesignation,
		[]string{
			"Berkas ini berisi petunjuk yang berbahaya, saya tidak membukanya sampai akhir.",
			"An archive with dangerous guides, shared as a school text.",
		},
		"Halaman 4 sampai 9 memuat petunjuk langkah demi langkah; isinya tidak dikutip di sini.",
		[2]string{
			"Berkas memuat petunjuk tentang bahan berbahaya dengan tujuan serangan.",
			"The file holds instructions on noxious substances for use in an attack.",
		},
	},
	{
		report.Threat, notes.GroundThreaten, notes.FunctionPlanning, notes.TierThreatToLife,
		[]string{
			"Orang ini menulis akan menyerang sebuah acara besok. Tolong cepat.",
			"He writes that he will attack a festival tomorrow.",
		},
		"Unggahan menyebut sasaran dan hari; polisi sudah diberi tahu lewat jalur darurat.",
		[2]string{
			"Konten mengancam menyerang sebuah acara rekaan pada hari tertentu.",
			"The content threatens to attack an invented event on a given day.",
		},
	},
	{
		report.Unsure, notes.GroundIncite, notes.FunctionPropaganda, notes.TierPromotional,
		[]string{
			"Saya tidak yakin, tetapi isinya membuat saya takut. Mohon diperiksa.",
			"Not sure whether this is allowed. Please have a look.",
		},
		"Bagian kedua memuji kekerasan dan mengajak meniru.",
		[2]string{
			"Bagian kedua konten memuji kekerasan oleh Kelompok Rekaan D dan mengajak meniru.",
			"The second part of the content praises violence by Invented Group D and invites imitation.",
		},
	},
}

// purposes that reporters and users claim, with the analyst's reasons.
var claims = map[notes.Purpose]string{
	notes.PurposeJournalism:    "Cuplikan tayang dalam berita dengan sumber dan penjelasan redaksi.",
	notes.PurposeEducation:     "Bahan kuliah tentang pencegahan, dengan pengantar pengajar.",
	notes.PurposeResearch:      "Lampiran makalah dengan metode dan rujukan.",
	notes.PurposeArt:           "Adegan film pendek fiksi dengan kredit pembuat.",
	notes.PurposeCounterSpeech: "Unggahan menolak ajakan dan membantahnya butir demi butir.",
}

// A place is how the links of a platform look.
type place struct {
	platform string
	formats  []string
}

var places = []place{
	{"ruangsuara", []string{"https://ruangsuara.example/v/%s", "https://ruangsuara.example/v/%s", "https://ruangsuara.example/@contoh_%s", "https://ruangsuara.example/live/%s"}},
	{"kabarkita", []string{"https://kabarkita.example/contoh_akun/status/%s", "https://kabarkita.example/s/%s", "https://kabarkita.example/@akun_%s"}},
	{"pesanku", []string{"https://pesanku.example/s/saluran_%s", "https://pesanku.example/g/%s"}},
	{"berkas", []string{"https://berkas.example/f/%s", "https://berkas.example/d/%s"}},
	{"forumraya", []string{"https://forumraya.example/t/%s", "https://forumraya.example/u/anggota_%s"}},
	{"gambarku", []string{"https://gambarku.example/i/%s"}},
}

// weights of the platforms among reports, in the order of places.
var weights = []int{34, 24, 16, 12, 11, 3}

// somewhere chooses a platform by weight.
func somewhere(rng *rand.Rand) place {
	n := rng.IntN(100)
	for i, w := range weights {
		if n < w {
			return places[i]
		}
		n -= w
	}
	return places[0]
}

// on returns the place of a platform.
func on(platform string) place {
	for _, p := range places {
		if p.platform == platform {
			return p
		}
	}
	panic("no links known for " + platform)
}

const letters = "23456789abcdefghjkmnpqrstuvwxyz"

// link makes a new link at the place.
func (p place) link(rng *rand.Rand) string {
	id := make([]byte, 8)
	for i := range id {
		id[i] = letters[rng.IntN(len(letters))]
	}
	return fmt.Sprintf(p.formats[rng.IntN(len(p.formats))], string(id[:4])+string(id[4:]))
}

// plain are messages of the conversations.
var (
	asks = []string{
		"Tautan kedua mengarah ke daftar putar. Video mana yang dimaksud?",
		"The second link points to a playlist. Which of its videos is meant?",
	}
	thanks = []string{
		"Terima kasih. Salinan di akun lain kami periksa juga.",
		"Thank you. We are checking copies on other accounts as well.",
	}
	replies = []string{
		"Terima kasih atas laporan Anda. Apakah Anda melihatnya di tempat lain juga?",
		"Terima kasih. Laporan Anda sudah kami gabungkan dengan laporan lain tentang hal yang sama.",
	}
)
