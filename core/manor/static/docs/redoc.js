// Kept in a file of its own: the page's policy allows no inline script.
const place = document.getElementById("docs");
Redoc.init(place.dataset.document, { nativeScrollbars: true }, place);
