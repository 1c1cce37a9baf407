"""HTTP pieces that every route shares: bodies, responses, rejections, error documents."""
