// A page opened from a disk may not fetch its neighbours: there, search lists titles without their extracts.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
